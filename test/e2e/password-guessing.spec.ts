import { LoginFailure } from '../../src/auth/password/login-failure.entity.js';
import { FAILURES_MAX, pauseSeconds } from '../../src/auth/password/login-failures.service.js';
import { KnownDevice } from '../../src/auth/devices/known-device.entity.js';
import { nowSeconds } from '../../src/common/time.js';
import { User } from '../../src/users/user.entity.js';
import { addAccount, registration, type TestAccount } from '../support/accounts.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { nextNumber, type Answer } from '../support/client.js';
import { freezeClock, passSeconds, thawClock } from '../support/clock.js';
import { countByCode, expectFailure, expectOk, expectPage } from '../support/expectations.js';
import { addClient, askTokens } from '../support/oauth.js';

const QUARTER_SECONDS = 15 * 60;
const PHONE = '5e0f6f64-5f0f-4d0e-8b4e-b7e0f4e86c11';
const TABLET = '5e0f6f64-5f0f-4d0e-8b4e-b7e0f4e86c12';

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({
    env: { RATE_LIMIT: 'true', TRUST_PROXY: '127.0.0.1', TRUSTED_CLIENTS: 'trusted-desk' },
  });
});
afterAll(() => app.close());
afterEach(() => thawClock());

/** An address that no other test uses. */
function newAddress(): string {
  const number = nextNumber();
  return `203.${Math.floor(number / 62_500)}.${Math.floor(number / 250) % 250}.${(number % 250) + 1}`;
}

interface Try {
  account: string;
  password: string;
  address?: string;
  device_id?: string;
}

function tryPassword({ account, password, address = newAddress(), device_id }: Try): Promise<Answer> {
  const body = { account, password, app_id: 'pluto', device_id };
  return app.client.post('/v1/user/login/account', body, { headers: { 'x-forwarded-for': address } });
}

const guess = (account: string, place: Partial<Try> = {}) =>
  tryPassword({ account, password: 'a wrong guess', ...place });

async function guesses(account: string, count: number, place: Partial<Try> = {}): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (let done = 0; done < count; done++) answers.push(await guess(account, place));
  return answers;
}

const idOf = async ({ user_id: handle }: TestAccount) =>
  (await app.dataSource.manager.findOneByOrFail(User, { handle })).id;

async function setFailures(account: TestAccount, failures: number): Promise<void> {
  const row = { userId: await idOf(account), failures, lastFailedAt: nowSeconds() };
  await app.dataSource.manager.save(LoginFailure, row);
}

const failuresOf = async (account: TestAccount) =>
  (await app.dataSource.manager.findOneBy(LoginFailure, { userId: await idOf(account) }))?.failures ?? 0;

describe('an attacker with a thousand addresses', () => {
  it('does not keep the owner out of known devices', async () => {
    const account = await addAccount(app);
    const { mail, password } = account;
    for (const device_id of [PHONE, TABLET])
      expectOk(await tryPassword({ account: mail, password, device_id }));
    const codes: Record<string, number> = {};
    for (let round = 0; round < 100; round++) {
      const answers = await Promise.all(Array.from({ length: 10 }, () => guess(mail)));
      for (const [code, count] of Object.entries(countByCode(answers)))
        codes[code] = (codes[code] ?? 0) + count;
      if (round % 10 > 0) continue;
      for (const device_id of [PHONE, TABLET])
        expectOk(await tryPassword({ account: mail, password, device_id }));
    }
    expect(codes).toEqual({ 3001: 10, 1006: 990 });
  });

  it('learns neither that a mail exists nor which user id it belongs to', async () => {
    const { mail, user_id: handle } = await addAccount(app);
    const nobody = registration();
    const pending = registration();
    expectOk(await app.client.post('/v1/user/register', pending));
    // By user id first, then by mail: for all of them the same answers.
    for (const one of [
      { mail, handle },
      { mail: nobody.mail, handle: nobody.user_id },
      { mail: pending.mail, handle: pending.user_id },
    ]) {
      expect(countByCode(await guesses(one.handle, 11))).toEqual({ 3001: 10, 1006: 1 });
      expect(countByCode(await guesses(one.mail, 11))).toEqual({ 3001: 10, 1006: 1 });
    }
  });

  it('gets the answer of a wrong password for the right one while only the account is used up', async () => {
    const account = await addAccount(app);
    await guesses(account.user_id, 10);
    expectFailure(await tryPassword({ ...account, account: account.mail }), 403, 3001);
  });
});

describe('wrong passwords in a row', () => {
  it('pause the account on unknown devices, for longer each time', async () => {
    expect([9, 10, 11, 16, 20, 21, 99].map(pauseSeconds)).toEqual([0, 60, 120, 3840, 61_440, 86_400, 86_400]);
    freezeClock();
    const account = await addAccount(app);
    await guesses(account.mail, 10);
    passSeconds(QUARTER_SECONDS + 1);
    expectFailure(await guess(account.mail), 403, 3001);
    expect(await failuresOf(account)).toBe(11);
    passSeconds(119);
    expectFailure(await tryPassword({ ...account, account: account.mail }), 403, 3001);
    expect(await failuresOf(account)).toBe(11);
    passSeconds(1);
    expectOk(await tryPassword({ ...account, account: account.mail }));
    expect(await failuresOf(account)).toBe(0);
  });

  it('are all counted when they come concurrently', async () => {
    const { mail, ...account } = await addAccount(app);
    await Promise.all(Array.from({ length: 10 }, () => guess(mail)));
    expect(await failuresOf({ mail, ...account })).toBe(10);
  });

  it('of a hundred require a known device or a reset', async () => {
    freezeClock();
    const account = await addAccount(app);
    const { mail, password } = account;
    expectOk(await tryPassword({ account: mail, password, device_id: PHONE }));
    await setFailures(account, FAILURES_MAX);
    passSeconds(20 * 86_400);
    expectFailure(await tryPassword({ account: mail, password }), 403, 3001);
    expectOk(await tryPassword({ account: mail, password, device_id: PHONE }));
    expectOk(await tryPassword({ account: mail, password }));

    await setFailures(account, FAILURES_MAX);
    expectOk(await app.client.post('/v1/user/password/reset/mail', { mail, app_id: 'pluto' }));
    const form = { password: 'a new and different one' };
    expectPage(await app.client.submit(await app.mailbox.linkTo(mail), form), 200, 'Password changed');
    expectOk(await tryPassword({ account: mail, ...form }));
  });

  it('of a hundred on a known device make it unknown', async () => {
    const account = await addAccount(app);
    const { mail, password } = account;
    expectOk(await tryPassword({ account: mail, password, device_id: PHONE }));
    const { manager } = app.dataSource;
    const userId = await idOf(account);
    await manager.update(KnownDevice, { userId }, { failures: FAILURES_MAX - 2 });
    expectFailure(await guess(mail, { device_id: PHONE }), 403, 3001);
    const phone = await manager.findOneByOrFail(KnownDevice, { userId, failures: FAILURES_MAX - 1 });
    expectOk(await tryPassword({ account: mail, password, device_id: PHONE }));
    expect(await manager.findOneBy(KnownDevice, { id: phone.id })).toMatchObject({ failures: 0 });

    await manager.update(KnownDevice, { userId }, { failures: FAILURES_MAX - 1 });
    const before = await manager.countBy(KnownDevice, { userId });
    expectFailure(await guess(mail, { device_id: PHONE }), 403, 3001);
    expect(await manager.countBy(KnownDevice, { userId })).toBe(before - 1);
    await setFailures(account, FAILURES_MAX);
    expectFailure(await tryPassword({ account: mail, password, device_id: PHONE }), 403, 3001);
  });
});

describe('a backend that signs its users in', () => {
  const grant = (client: Awaited<ReturnType<typeof addClient>>, account: TestAccount, change: object = {}) =>
    askTokens(app, client, {
      grant_type: 'password',
      user: account.mail,
      password: account.password,
      app_id: 'pluto',
      ...change,
    });

  it('locks nobody out but the account whose passwords were wrong', async () => {
    const client = await addClient(app);
    const users = await Promise.all(Array.from({ length: 8 }, () => addAccount(app)));
    for (const user of users)
      for (let done = 0; done < 9; done++)
        expectFailure(await grant(client, user, { password: 'a wrong guess' }), 403, 3001);
    for (const user of users) expectOk(await grant(client, user));
    const first = users[0]!;
    for (let done = 0; done < 10; done++) await grant(client, first, { password: 'a wrong guess' });
    expectFailure(await grant(client, first), 429, 1006);
    expectFailure(await grant(client, users[1]!, { password: 'a wrong guess' }), 403, 3001);
  });

  it("names the address of its user, if TRUSTED_CLIENTS names the client: that address's limits apply", async () => {
    const trusted = await addClient(app, { key: 'trusted-desk' });
    const address = newAddress();
    const strangers = await Promise.all(Array.from({ length: 7 }, () => addAccount(app)));
    for (const stranger of strangers)
      for (let done = 0; done < 9; done++)
        await grant(trusted, stranger, { password: 'a wrong guess', user_address: address });
    const account = await addAccount(app);
    expectFailure(await grant(trusted, account, { user_address: address }), 429, 1006);
    expectOk(await grant(trusted, account, { user_address: newAddress() }));
    expectFailure(await grant(trusted, account, { user_address: 'somewhere' }), 400, 1001);
    const other = await addClient(app);
    expectOk(await grant(other, account, { user_address: address }));
  });
});
