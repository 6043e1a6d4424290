import { LinkRequestsWorker } from '../../src/auth/links/link-requests.worker.js';
import { PasswordHasher } from '../../src/auth/password/password-hasher.service.js';
import { OneTimeToken } from '../../src/auth/links/one-time-token.entity.js';
import { LinkRequest } from '../../src/auth/links/link-request.entity.js';
import { Housekeeping } from '../../src/housekeeping/housekeeping.service.js';
import { MailWorker } from '../../src/mail/mail.worker.js';
import { addAccount, type TestAccount } from '../support/accounts.js';
import { freezeClock, passSeconds, thawClock } from '../support/clock.js';
import { expectFailure, expectOk } from '../support/expectations.js';
import { linksAreQueued } from '../support/link-requests.js';
import { collectQueries } from '../support/queries.js';
import { app, register, registerPending, tryLogin, useRegistrations } from '../support/registrations.js';

useRegistrations();
afterEach(thawClock);

const background = () => [app.app.get(LinkRequestsWorker), app.app.get(MailWorker)];
beforeEach(() => Promise.all(background().map((worker) => worker.stop())));
afterEach(async () => {
  background().forEach((worker) => worker.start());
  await linksAreQueued(app);
});

interface Work {
  statements: string[];
  hashes: number;
}

/** What the server does before it answers: the least of three times, since it reads its keys now and then. */
async function workOf(request: () => Promise<unknown>): Promise<Work> {
  const works: Work[] = [];
  app.app.get(PasswordHasher).onHashed(() => works.at(-1)!.hashes++);
  for (let times = 0; times < 3; times++) {
    const work: Work = { statements: [], hashes: 0 };
    works.push(work);
    work.statements = (await collectQueries(app, request)).map(({ sql }) => sql.replaceAll(/\d+/g, '?'));
  }
  return works.sort((one, other) => one.statements.length - other.statements.length)[0]!;
}

async function people(): Promise<Record<string, TestAccount | { mail: string; user_id: string }>> {
  const contested = await registerPending();
  for (let times = 0; times < 3; times++) await registerPending({ mail: contested.mail });
  return {
    unknown: { mail: 'nobody@example.com', user_id: 'nobody' },
    pending: await registerPending(),
    contested,
  };
}

describe('a request for a mail', () => {
  it.each(['/v1/user/password/reset/mail', '/v1/user/register/verify/mail'])(
    'POST %s does the same for known and unknown addresses before it answers',
    async (path) => {
      const asked = await people();
      if (path.includes('reset')) asked.confirmed = await addAccount(app);
      const work: Record<string, unknown> = {};
      for (const [who, { mail }] of Object.entries(asked))
        work[who] = await workOf(async () =>
          expectOk(await app.client.post(path, { mail, app_id: 'pluto' }), {}),
        );
      const { unknown, ...known } = work;
      expect(unknown).toMatchObject({ hashes: 0 });
      for (const done of Object.values(known)) expect(done).toEqual(unknown);
    },
  );

  it('does the same for known and unknown handles', async () => {
    const { unknown, pending } = await people();
    const ask = ({ user_id }: { user_id: string }) =>
      workOf(() => app.client.post('/v1/user/register/verify/mail', { user_id, app_id: 'pluto' }));
    expect(await ask(pending!)).toEqual(await ask(unknown!));
  });

  it('is answered later, once by two workers', async () => {
    const { mail } = await addAccount(app);
    const before = await app.dataSource.manager.count(OneTimeToken);
    expectOk(await app.client.post('/v1/user/password/reset/mail', { mail, app_id: 'pluto' }), {});
    expect(await app.dataSource.manager.count(LinkRequest)).toBe(1);
    expect(await app.dataSource.manager.count(OneTimeToken)).toBe(before);
    for (let workers = 0; workers < 2; workers++) app.app.get(LinkRequestsWorker).start();
    await linksAreQueued(app);
    await app.app.get(LinkRequestsWorker).stop();
    expect(await app.dataSource.manager.count(OneTimeToken)).toBe(before + 1);
  });

  it('is given up after an hour', async () => {
    freezeClock();
    const { mail } = await addAccount(app);
    expectOk(await app.client.post('/v1/user/password/reset/mail', { mail, app_id: 'pluto' }), {});
    passSeconds(3599);
    await app.app.get(Housekeeping).run();
    expect(await app.dataSource.manager.count(LinkRequest)).toBe(1);
    passSeconds(1);
    await app.app.get(Housekeeping).run();
    expect(await app.dataSource.manager.count(LinkRequest)).toBe(0);
  });
});

describe('a login', () => {
  it('does the same for pending registrations of one mail, however many, and unknown addresses', async () => {
    const work: Record<string, unknown> = {};
    for (const [who, { mail }] of Object.entries(await people())) {
      const account = { mail, user_id: '', name: '', password: 'wrong password', app_id: 'pluto' };
      work[who] = await workOf(async () => expectFailure(await tryLogin(account), 403, 3001));
    }
    const { unknown, ...pending } = work;
    expect(unknown).toMatchObject({ hashes: 1 });
    for (const done of Object.values(pending)) expect(done).toEqual(unknown);
  });

  it('with the right password of any of them does one hash, too', async () => {
    const { mail } = await registerPending();
    const accounts = await Promise.all([1, 2, 3].map(() => registerPending({ mail })));
    for (const account of accounts)
      expect(await workOf(async () => expectFailure(await tryLogin(account), 403, 2003))).toMatchObject({
        hashes: 1,
      });
    expectFailure(await register({ ...accounts[0]!, user_id: accounts[1]!.user_id }), 403, 2006);
  });
});
