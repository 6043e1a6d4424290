import { startTestApp, type TestApp } from '../support/app.js';
import { login, registration } from '../support/accounts.js';

describe('the journey of an account', () => {
  let app: TestApp;
  beforeAll(async () => (app = await startTestApp()));
  afterAll(() => app.close());

  it('goes from registration to deletion', async () => {
    const { client, mailbox } = app;
    const ann = registration({ mail: 'ann@example.com', user_id: 'ann', name: 'Ann' });

    expect((await client.post('/v1/user/register', ann)).json).toEqual({
      status: 'ok',
      body: { mail: 'ann@example.com', verified: false },
    });
    const early = await client.post('/v1/user/login/account', {
      account: 'ann',
      password: ann.password,
      app_id: 'pluto',
    });
    expect([early.status, early.code]).toEqual([403, 2003]);

    const confirmed = await client.submit(await mailbox.linkTo('ann@example.com'));
    expect(confirmed.status).toBe(200);

    const tokens = await login(app, ann);
    const refreshed = await client.post('/v1/token/refresh', {
      refresh_token: tokens.refresh_token,
      app_id: 'pluto',
    });
    expect(refreshed.status).toBe(200);
    const token = refreshed.body.access_token as string;

    expect((await client.put('/v1/user/info', { name: 'Ann B.' }, { token })).json).toEqual({
      status: 'ok',
      body: {},
    });
    expect((await client.get('/v1/user/info', { token })).body).toMatchObject({
      name: 'Ann B.',
      user_id: 'ann',
      verified: true,
    });

    expect(
      (await client.post('/v1/user/password/reset/mail', { mail: ann.mail, app_id: 'pluto' })).status,
    ).toBe(200);
    const reset = await client.submit(await mailbox.linkTo(ann.mail, 2), { password: 'a new password' });
    expect(reset.status).toBe(200);
    expect((await client.get('/v1/user/info', { token })).code).toBe(3009);

    const again = await login(app, { ...ann, password: 'a new password' });
    expect((await client.post('/v1/user/delete', undefined, { token: again.access_token })).json).toEqual({
      status: 'ok',
      body: {},
    });
    expect((await client.get('/v1/user/info', { token: again.access_token })).code).toBe(3009);
  });
});
