import { hash } from '@node-rs/argon2';
import { User } from '../../src/users/user.entity.js';
import { addAccount, registration } from '../support/accounts.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { environmentOf, runPluto } from '../support/command-line.js';
import { expectFailure, expectOk, expectPage } from '../support/expectations.js';

let app: TestApp;
beforeAll(async () => (app = await startTestApp()));
afterAll(() => app.close());

const COMMON = ['1q2w3e4r', '12345678', 'iloveyou', 'Password123', 'QWERTYUIOP', 'trustno1'];

describe('a common password', () => {
  it.each(COMMON)('is refused at registration: %s', async (password) => {
    const account = registration({ password });
    const refused = await app.client.post('/v1/user/register', account);
    expectFailure(refused, 400, 1001, expect.stringContaining('password is too common; choose another'));
    expect(refused.text).not.toContain(password);
    // Nothing was stored: mail and user id are free.
    expectOk(await app.client.post('/v1/user/register', { ...account, password: `${password} but longer` }));
  });

  it('is refused by the reset page, which does not consume the link', async () => {
    const account = await addAccount(app);
    const { mail, app_id } = account;
    expectOk(await app.client.post('/v1/user/password/reset/mail', { mail, app_id }));
    const link = await app.mailbox.linkTo(mail);
    expectPage(await app.client.submit(link, { password: 'baseball' }), 400, 'This password is too common');
    expectPage(await app.client.submit(link, { password: 'fresh horse battery' }), 200, 'Password changed');
  });

  it('still signs in to accounts that already have it', async () => {
    const { user_id: handle, mail, app_id } = await addAccount(app);
    const passwordHash = await hash('password', { memoryCost: 19_456, timeCost: 2, parallelism: 1 });
    await app.dataSource.manager.update(User, { handle }, { passwordHash });
    expectOk(
      await app.client.post('/v1/user/login/account', { account: mail, password: 'password', app_id }),
    );
  });

  it('is refused by `pluto admin create`', async () => {
    const { code, stderr } = await runPluto(
      ['admin', 'create', 'eve@example.com', '--handle', 'eve', '--password-stdin'],
      { env: environmentOf(app), cwd: app.dataDir, input: 'superman\n' },
    );
    expect([code, stderr]).toEqual([1, expect.stringContaining('too common')]);
  });
});

it('is refused as ADMIN_PASSWORD', async () => {
  await expect(startTestApp({ env: { ADMIN_PASSWORD: 'password123' } })).rejects.toThrow(
    /^ADMIN_PASSWORD is too common/,
  );
});
