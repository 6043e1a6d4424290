import { hash } from '@node-rs/argon2';
import { KnownDevice } from '../../src/auth/devices/known-device.entity.js';
import { nowSeconds } from '../../src/common/time.js';
import { SecurityEvents } from '../../src/events/security-events.js';
import { afterCommit, CommitOutcomeUnknown, Transactions } from '../../src/database/transactions.js';
import { Session } from '../../src/token/session.entity.js';
import { User } from '../../src/users/user.entity.js';
import { addAccount, type TestAccount } from '../support/accounts.js';
import { firstAdministrator, type Caller } from '../support/administration.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { readAudit } from '../support/audit.js';
import type { Answer } from '../support/client.js';
import { expectFailure, expectOk } from '../support/expectations.js';

let app: TestApp;
let admin: Caller;
let account: TestAccount;
let userId: number;
const counted = jest.fn();
beforeAll(async () => {
  app = await startTestApp();
  admin = await firstAdministrator(app);
  app.app
    .get(SecurityEvents)
    .subscribe((manager, { type }) => afterCommit(manager, () => void counted(type)));
});
beforeEach(async () => {
  account = await addAccount(app);
  userId = (await app.dataSource.manager.findOneByOrFail(User, { handle: account.user_id })).id;
  counted.mockClear();
});
afterEach(() => jest.restoreAllMocks());
afterAll(() => app.close());

function login(device_id = ''): Promise<Answer> {
  const body = { account: account.mail, password: account.password, app_id: 'pluto', device_id };
  return app.client.post('/v1/user/login/account', body);
}

type Write = () => Promise<unknown>;

/** Runs something once, after a login is verified and before it is written. */
function beforeWriting(happens: (write: Write) => Promise<unknown>): void {
  const transactions = app.app.get(Transactions);
  const runFor = transactions.runFor.bind(transactions);
  jest
    .spyOn(transactions, 'runFor')
    .mockImplementationOnce((origin, work) => happens(() => runFor(origin, work)));
}

const sessionCount = () => app.dataSource.manager.countBy(Session, { userId });
const deviceCount = () => app.dataSource.manager.countBy(KnownDevice, { userId });

async function recorded(): Promise<string[]> {
  const { events } = await readAudit(admin, { user_id: userId });
  return events
    .filter(({ type }) => type.startsWith('login.'))
    .map(({ type, detail }) => `${type} ${(detail as { device?: string }).device ?? ''}`.trim())
    .reverse();
}

describe('a login', () => {
  it('is written in one transaction', async () => {
    const runFor = jest.spyOn(app.app.get(Transactions), 'runFor');
    expectOk(await login('a-device-id-long-enough'));
    expect(runFor).toHaveBeenCalledTimes(1);
    expect(await sessionCount()).toBe(1);
    expect(await deviceCount()).toBe(2);
    expect(await recorded()).toEqual(['login.succeeded new']);
    expect(counted.mock.calls).toEqual([['login.succeeded']]);
  });

  it('forgets a device beyond twenty, however many come concurrently', async () => {
    const lastUsedAt = nowSeconds() - 1000;
    const others = Array.from({ length: 19 }, (_, index) => ({
      userId,
      deviceHash: `other-${index}`,
      lastUsedAt,
    }));
    await app.dataSource.manager.insert(KnownDevice, others);
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, index) => login(`a-device-id-long-enough-${index}`)),
    );
    for (const answer of answers) expectOk(answer);
    expect(await deviceCount()).toBe(20);
    expect(await sessionCount()).toBe(6);
  });

  it('is refused if the password was changed since it was verified', async () => {
    beforeWriting(async (write) => {
      await app.dataSource.manager.update(User, { id: userId }, { passwordHash: await hash('another') });
      return write();
    });
    expectFailure(await login(), 403, 3001);
    expect(await sessionCount()).toBe(0);
    expect(await deviceCount()).toBe(0);
    expect(await recorded()).toEqual([]);
  });

  it('is refused if the account was deleted since', async () => {
    beforeWriting(async (write) => {
      await app.dataSource.manager.delete(User, { id: userId });
      return write();
    });
    expectFailure(await login(), 403, 3001);
    expect(await sessionCount()).toBe(0);
  });

  it('recognises a device that another login has stored since', async () => {
    beforeWriting(async (write) => {
      expectOk(await login('a-device-id-long-enough'));
      return write();
    });
    expectOk(await login('a-device-id-long-enough'));
    expect(await sessionCount()).toBe(2);
    expect(await deviceCount()).toBe(2);
    expect(await recorded()).toEqual(['login.succeeded new', 'login.succeeded known']);
  });

  it('succeeds for many concurrent logins from a new device', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => login('a-device-id-long-enough')));
    for (const answer of answers) expectOk(answer);
    expect(await sessionCount()).toBe(8);
    expect(await deviceCount()).toBe(2);
    const events = await recorded();
    expect(events).toHaveLength(8);
    expect(events.filter((event) => event === 'login.succeeded new')).toHaveLength(1);
  });

  it('succeeds when repeated after the connection was lost during the commit', async () => {
    beforeWriting(async (write) => {
      await write();
      throw new CommitOutcomeUnknown('The connection was lost during the commit');
    });
    expectFailure(await login(), 503, 1010);
    expectOk(await login());
    expect(await sessionCount()).toBe(2);
  });

  it('rehashes a password with outdated parameters, also concurrently', async () => {
    const outdated = await hash(account.password, { memoryCost: 8192, timeCost: 1 });
    await app.dataSource.manager.update(User, { id: userId }, { passwordHash: outdated });
    const answers = await Promise.all(Array.from({ length: 4 }, () => login()));
    for (const answer of answers) expectOk(answer);
    const { passwordHash } = await app.dataSource.manager.findOneByOrFail(User, { id: userId });
    expect(passwordHash).not.toBe(outdated);
    expectOk(await login());
    expect((await app.dataSource.manager.findOneByOrFail(User, { id: userId })).passwordHash).toBe(
      passwordHash,
    );
  });

  it('waits for the lock of the account', async () => {
    let answer: Promise<Answer>;
    await app.app.get(Transactions).run(async (manager) => {
      await manager.update(User, { id: userId }, { name: 'Renamed' });
      answer = login();
      await new Promise((resolve) => setTimeout(resolve, 300));
    });
    expectOk(await answer!);
    expect(await sessionCount()).toBe(1);
  });

  it('leaves nothing behind when it cannot be written', async () => {
    beforeWriting(() => Promise.reject(new Error('the disk is full')));
    expectFailure(await login(), 500, 1000);
    expect(await sessionCount()).toBe(0);
    expect(await recorded()).toEqual([]);
  });
});
