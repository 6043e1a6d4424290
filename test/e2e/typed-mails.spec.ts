import { addAccount, login, registration, signedIn } from '../support/accounts.js';
import { firstAdministrator } from '../support/administration.js';
import { nextNumber } from '../support/client.js';
import { environmentOf, runPluto } from '../support/command-line.js';
import { expectFailure, expectOk, expectPage } from '../support/expectations.js';
import { openForm, sendForm } from '../support/forms.js';
import { app, register, registerPending, tryLogin, useRegistrations } from '../support/registrations.js';

useRegistrations();

const BLANKS = (text: string) => ` \u3000${text}\t\n`;

describe('blanks around', () => {
  it('a mail, a handle and a name are taken off by a registration', async () => {
    const account = registration();
    const { mail, user_id, name } = account;
    const typed = { mail: BLANKS(mail), user_id: BLANKS(user_id), name: BLANKS(name) };
    expectOk(await register({ ...account, ...typed, app_id: BLANKS('pluto') }), { mail, verified: false });
    expectPage(await app.client.submit(await app.mailbox.linkTo(mail)), 200, 'confirmed');
    const { access_token: token } = await login(app, { ...account, mail: BLANKS(mail) });
    await login(app, { ...account, mail: BLANKS(user_id) });
    expect((await app.client.get('/v1/user/info', { token })).body).toMatchObject({ mail, user_id, name });
  });

  it('a mail or a handle are taken off by requests for mails', async () => {
    const { mail, user_id } = await registerPending();
    const sendAgain = (by: object) =>
      app.client.post('/v1/user/register/verify/mail', { ...by, app_id: 'pluto' });
    expectOk(await sendAgain({ mail: BLANKS(mail) }), {});
    expectOk(await sendAgain({ user_id: BLANKS(user_id) }), {});
    await app.client.submit(await app.mailbox.linkTo(mail, 3));
    const reset = { mail: BLANKS(mail), app_id: 'pluto' };
    expectOk(await app.client.post('/v1/user/password/reset/mail', reset), {});
    expect(await app.mailbox.linkTo(mail, 4)).toMatch('/web/password/reset/');
  });

  it('a handle and a name are taken off by a profile, and by its address', async () => {
    const { token } = await signedIn(app);
    const handle = `blank${nextNumber()}`;
    const change = { user_id: BLANKS(handle), name: BLANKS('Ann') };
    expectOk(await app.client.put('/v1/user/info', change, { token }), {});
    expect((await app.client.get('/v1/user/info', { token })).body).toMatchObject({
      user_id: handle,
      name: 'Ann',
    });
    const address = `/v1/user/info/${encodeURIComponent(BLANKS(handle))}/public`;
    expectOk(await app.client.get(address));
  });

  it('names are taken off by administration', async () => {
    const admin = await firstAdministrator(app);
    const name = `blank.${nextNumber()}`;
    const created = await admin.post('/v1/rbac/application/create', { name: BLANKS(name) });
    const app_id = created.body.id as number;
    expect(created.body.name).toBe(name);
    for (const [path, wanted] of [
      ['role', 'editor'],
      ['scope', 'articles.write'],
    ] as const) {
      const answer = await admin.post(`/v1/rbac/${path}/create`, { app_id, name: BLANKS(wanted) });
      expect(answer.body.name).toBe(wanted);
    }
    const { user_id } = await addAccount(app);
    const found = await admin.get(`/v1/user/search?name=${encodeURIComponent(BLANKS(user_id))}`);
    expect(found.body.users).toHaveLength(1);
  });

  it('what is typed are taken off by pages and commands', async () => {
    const account = await addAccount(app);
    const login = await openForm(app.client, '/web/login');
    const typed = { account: BLANKS(account.mail), password: account.password };
    expect((await sendForm(app.client, login, typed)).status).toBe(302);
    const forgot = await openForm(app.client, '/web/password/forgot');
    await sendForm(app.client, forgot, { mail: BLANKS(account.mail) });
    await app.mailbox.waitFor(account.mail);

    const mail = `blank${nextNumber()}@example.com`;
    const args = ['admin', 'create', BLANKS(mail), '--handle', BLANKS(`blank${nextNumber()}`)];
    const outcome = await runPluto(args, { env: environmentOf(app), cwd: app.dataDir });
    expect(outcome).toMatchObject({ code: 0, stderr: '' });
    expectFailure(await register(registration({ mail })), 403, 2001);
  });

  it('a password are part of it', async () => {
    const account = await addAccount(app);
    expectFailure(await tryLogin({ ...account, password: ` ${account.password}` }), 403, 3001);
  });
});

describe('one mailbox', () => {
  const spellings = (number: number) => [
    `ann${number}@bücher.example`,
    `ANN${number}@BÜCHER.example`,
    `ann${number}@xn--bcher-kva.example`,
    `ann${number}＠bu\u0308cher.example`,
  ];

  it.each([0, 1, 2, 3])('has one account, whatever its address looks like: spelling %d', async (which) => {
    const all = spellings(nextNumber());
    const account = registration({ mail: all[which]! });
    expectOk(await register(account));
    const delivered = `${account.mail.split(/[@＠]/)[0]!}@bücher.example`;
    expectPage(await app.client.submit(await app.mailbox.linkTo(delivered)), 200, 'confirmed');
    for (const mail of all) {
      await login(app, { ...account, mail });
      expectFailure(await register(registration({ mail })), 403, 2001);
    }
    const { token } = await signedIn(app);
    const bound = await app.client.post('/v1/user/binding', { type: 'mail', mail: all[0]! }, { token });
    expectFailure(bound, 403, 2007);
  });

  it('is found by the reset mail, however it is typed', async () => {
    const [unicode, , ascii] = spellings(nextNumber()) as [string, string, string];
    await addAccount(app, { mail: unicode });
    expectOk(await app.client.post('/v1/user/password/reset/mail', { mail: ascii, app_id: 'pluto' }), {});
    await app.mailbox.waitFor(unicode);
  });
});
