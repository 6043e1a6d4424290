import { hash } from '@node-rs/argon2';
import { User } from '../../src/users/user.entity.js';
import { addAccount, registration, type TestAccount } from '../support/accounts.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { environmentOf, runPluto } from '../support/command-line.js';
import { expectFailure, expectOk, expectPage } from '../support/expectations.js';

let app: TestApp;
beforeAll(async () => (app = await startTestApp()));
afterAll(() => app.close());

const COMMON = [
  'aaaaaaaa',
  '12121212',
  '1q2w3e4r',
  '12345678',
  'iloveyou',
  'Password123',
  'QWERTYUIOP',
  'trustno1',
];

describe('a common password', () => {
  it.each(COMMON)('is refused at registration: %s', async (password) => {
    const account = registration({ password });
    const refused = await app.client.post('/v1/user/register', account);
    expectFailure(refused, 400, 1001, expect.stringContaining('password is too common; choose another'));
    expect(refused.text).not.toContain(password);
    // Nothing was stored: mail and user id are free.
    expectOk(await app.client.post('/v1/user/register', { ...account, password: `${password} but longer` }));
  });

  it.each([
    ['the mail', (account: TestAccount) => account.mail],
    ['the mail in capitals', (account: TestAccount) => account.mail.toUpperCase()],
    ['the mail with a digit', (account: TestAccount) => `${account.mail}1`],
    ['the user id, long enough', (account: TestAccount) => `${account.user_id}!23`],
    ['the name', (account: TestAccount) => account.name],
    ['the application and a year', () => 'pluto2026'],
  ])('made of %s is refused at registration and by the reset page', async (_, passwordOf) => {
    const account = registration({ name: 'Annabel Lee' });
    const password = passwordOf(account);
    const refused = await app.client.post('/v1/user/register', { ...account, password });
    expectFailure(refused, 400, 1001, expect.stringContaining('password must not be your mail address'));
    const known = await addAccount(app, { name: 'Annabel Lee' });
    expectOk(
      await app.client.post('/v1/user/password/reset/mail', { mail: known.mail, app_id: known.app_id }),
    );
    const link = await app.mailbox.linkTo(known.mail);
    const form = { password: passwordOf(known) };
    expectPage(await app.client.submit(link, form), 400, 'must not be your mail address');
    expectPage(
      await app.client.submit(link, { password: `${form.password} but longer` }),
      200,
      'Password changed',
    );
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
    /^ADMIN_PASSWORD is too easy to guess/,
  );
});
