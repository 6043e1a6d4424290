import { randomBytes, scryptSync } from 'node:crypto';
import { hash } from '@node-rs/argon2';
import { PasswordHashParameters } from '../../src/auth/password/password-hash-parameters.js';
import { User } from '../../src/users/user.entity.js';
import { addAccount, login, registration, type TestAccount } from '../support/accounts.js';
import { startTestApp, type TestApp } from '../support/app.js';
import type { Answer } from '../support/client.js';
import { expectFailure, expectOk } from '../support/expectations.js';

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({ passwordHashParameters: new PasswordHashParameters() });
});
afterAll(() => app.close());

function logIn({ mail, password, app_id }: TestAccount): Promise<Answer> {
  return app.client.post('/v1/user/login/account', { account: mail, password, app_id });
}

async function setPasswordHash(account: TestAccount, passwordHash: string): Promise<User> {
  const user = await app.dataSource.manager.findOneByOrFail(User, { handle: account.user_id });
  await app.dataSource.manager.update(User, { id: user.id }, { passwordHash });
  return user;
}

async function passwordHashOf({ id }: User): Promise<string | null> {
  return (await app.dataSource.manager.findOneByOrFail(User, { id })).passwordHash;
}

/** The format of passwords imported from the earlier servers. */
function scryptPhc(password: string): string {
  const salt = randomBytes(16);
  const derived = scryptSync(password, salt, 32, { N: 2 ** 14, r: 8, p: 1 });
  const base64 = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '');
  return `$scrypt$ln=14,r=8,p=1$${base64(salt)}$${base64(derived)}`;
}

describe('the passwords of accounts', () => {
  it('are argon2id with 19 MiB, two passes', async () => {
    const account = registration();
    expectOk(await app.client.post('/v1/user/register', account));
    const user = await app.dataSource.manager.findOneByOrFail(User, { handle: account.user_id });
    expect(user.passwordHash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  });

  it('of the earlier servers (scrypt) are accepted, and rehashed at the first login', async () => {
    const account = await addAccount(app);
    const password = 'pässwörd of old 🔑';
    const user = await setPasswordHash(account, scryptPhc(password));

    await login(app, { ...account, password });
    const renewed = await passwordHashOf(user);
    expect(renewed).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    await login(app, { ...account, password });
    expect(await passwordHashOf(user)).toBe(renewed);
    expectFailure(await logIn(account), 403, 3001);
  });

  it('of the earlier servers stay unchanged after a wrong password', async () => {
    const account = await addAccount(app);
    const old = scryptPhc('the old password');
    const user = await setPasswordHash(account, old);
    expectFailure(await logIn(account), 403, 3001);
    expect(await passwordHashOf(user)).toBe(old);
  });

  it('with weaker parameters are rehashed', async () => {
    const account = await addAccount(app);
    const user = await setPasswordHash(
      account,
      await hash(account.password, { memoryCost: 8192, timeCost: 1, parallelism: 1 }),
    );
    await login(app, account);
    expect(await passwordHashOf(user)).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    await login(app, account);
  });

  it('stay valid when rehashed by concurrent logins', async () => {
    const account = await addAccount(app);
    await setPasswordHash(account, scryptPhc(account.password));
    await Promise.all(Array.from({ length: 5 }, () => login(app, account)));
    await login(app, account);
  });
});
