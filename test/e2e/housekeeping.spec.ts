import { randomBytes } from 'node:crypto';
import { OneTimeToken } from '../../src/auth/links/one-time-token.entity.js';
import { ConsumedState } from '../../src/auth/providers/wechat/consumed-state.entity.js';
import { nowSeconds } from '../../src/common/time.js';
import { PURGE_BATCH } from '../../src/database/jobs/purge.js';
import { Housekeeping } from '../../src/housekeeping/housekeeping.service.js';
import { Mail } from '../../src/mail/mail.entity.js';
import { AuthorizationCode } from '../../src/oauth/authorization-code.entity.js';
import { OAuthClient } from '../../src/oauth/oauth-client.entity.js';
import { PageSession } from '../../src/token/page-session.entity.js';
import { RefreshToken } from '../../src/token/refresh-token.entity.js';
import { Session } from '../../src/token/session.entity.js';
import { SigningKey } from '../../src/token/signing-key.entity.js';
import { Identity } from '../../src/users/identity.entity.js';
import { User } from '../../src/users/user.entity.js';
import { addAccount, registration, signedIn, login, type Tokens } from '../support/accounts.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { freezeClock, passSeconds, thawClock } from '../support/clock.js';
import { eventually } from '../support/eventually.js';
import { collectQueries } from '../support/queries.js';

const DAY = 86_400;

let app: TestApp;
beforeEach(async () => (app = await startTestApp()));
afterEach(async () => {
  thawClock();
  await app.close();
});

const upkeep = (place = app) => place.app.get(Housekeeping).run();
const count = (entity: Parameters<TestApp['dataSource']['manager']['count']>[0]) =>
  app.dataSource.manager.count(entity);
const random = () => randomBytes(16).toString('base64url');

async function addStates(howMany: number, expiresAt: number): Promise<void> {
  const rows = Array.from({ length: howMany }, () => ({ nonce: random(), expiresAt }));
  for (let start = 0; start < rows.length; start += 500)
    await app.dataSource.manager.insert(ConsumedState, rows.slice(start, start + 500));
}

function refresh({ refresh_token }: Pick<Tokens, 'refresh_token'>) {
  return app.client.post('/v1/token/refresh', { refresh_token, app_id: 'pluto' });
}

/** Makes the session look as if it had been refreshed that many times, each time that long ago. */
async function addUsedGenerations(howMany: number, usedAt: (generation: number) => number): Promise<void> {
  const { manager } = app.dataSource;
  const newest = await manager.findOneByOrFail(RefreshToken, { generation: 1 });
  await manager.update(RefreshToken, { id: newest.id }, { generation: howMany + 1 });
  const rows = Array.from({ length: howMany }, (_, index) => ({
    sessionId: newest.sessionId,
    generation: index + 1,
    tokenHash: random(),
    createdAt: usedAt(index + 1),
    expiresAt: newest.expiresAt,
    usedAt: usedAt(index + 1),
  }));
  for (let start = 0; start < rows.length; start += 500)
    await manager.insert(RefreshToken, rows.slice(start, start + 500));
}

async function usedGenerations(): Promise<number[]> {
  const tokens = await app.dataSource.manager.find(RefreshToken, { order: { generation: 'ASC' } });
  return tokens.filter(({ usedAt }) => usedAt !== null).map(({ generation }) => generation);
}

describe('Housekeeping', () => {
  it('removes each kind of row when it is due, and not before', async () => {
    freezeClock();
    const { manager } = app.dataSource;
    const account = await addAccount(app);
    await login(app, account);
    const user = await manager.findOneByOrFail(User, { handle: account.user_id });
    const identity = await manager.findOneByOrFail(Identity, { userId: user.id });
    const now = nowSeconds();
    const dueAt = now + DAY;
    const own = { userId: user.id, applicationId: user.applicationId, createdAt: now };
    await manager.clear(OneTimeToken);
    await manager.update(RefreshToken, { generation: 1 }, { expiresAt: dueAt - 60 });
    await manager.insert(OneTimeToken, {
      kind: 'reset-password',
      tokenHash: random(),
      identityId: identity.id,
      createdAt: now,
      expiresAt: dueAt,
      usedAt: null,
    });
    await addStates(1, dueAt);
    await manager.insert(PageSession, { ...own, tokenHash: random(), expiresAt: dueAt });
    const client = await manager.save(OAuthClient, {
      key: random(),
      secretHash: random(),
      redirectUri: 'https://client.test/',
      status: 'approved' as const,
      deniedAt: 0,
      userId: user.id,
      createdAt: now,
    });
    await manager.insert(AuthorizationCode, {
      ...own,
      codeHash: random(),
      clientId: client.id,
      redirectUri: 'https://client.test/',
      scopes: [],
      accessTokenTtlSeconds: 60,
      expiresAt: dueAt - DAY,
    });
    await manager.insert(SigningKey, {
      sequence: 99,
      kid: random(),
      publicKey: '',
      sealedPrivateKey: '',
      createdAt: now,
      signsFrom: now - 1,
      verifiesUntil: dueAt,
    });
    await manager.insert(Mail, {
      userId: user.id,
      template: 'password-reset',
      language: 'en',
      recipient: account.mail,
      sealedContext: '',
      state: 'failed',
      nextAttemptAt: now,
      expiresAt: dueAt - 30 * DAY,
      createdAt: now,
    });
    const tables = [OneTimeToken, ConsumedState, PageSession, AuthorizationCode, Mail, Session, RefreshToken];
    const counts = async () => [...(await Promise.all(tables.map(count))), await count(SigningKey)];

    passSeconds(DAY - 1);
    expect(await upkeep()).toBe(true);
    expect(await counts()).toEqual([1, 1, 1, 1, 1, 1, 1, 2]);
    passSeconds(1);
    expect(await upkeep()).toBe(true);
    expect(await counts()).toEqual([0, 0, 0, 0, 0, 0, 0, 1]);
    expect(app.log()).not.toContain('"level":"error"');
  });

  it('deletes expired registrations, and remembers that they contested a mail', async () => {
    freezeClock();
    const account = registration();
    await app.client.post('/v1/user/register', account);
    passSeconds(DAY - 1);
    const rival = registration({ mail: account.mail });
    await app.client.post('/v1/user/register', rival);
    const { manager } = app.dataSource;
    const pending = () => manager.find(Identity, { where: { isVerified: false }, order: { id: 'ASC' } });
    await upkeep();
    expect(await pending()).toMatchObject([{ isContested: false }, { isContested: false }]);
    passSeconds(1);
    await upkeep();
    expect(await pending()).toMatchObject([{ isContested: true }]);
    expect(await manager.existsBy(User, { handle: account.user_id })).toBe(false);
    expect(await manager.existsBy(User, { handle: rival.user_id })).toBe(true);
  });

  it('removes more rows than a batch, and keeps the others', async () => {
    await addStates(2 * PURGE_BATCH + 1, nowSeconds());
    await addStates(3, nowSeconds() + 60);
    await upkeep();
    expect(await count(ConsumedState)).toBe(3);
  });

  it('deletes used refresh tokens that are old and far behind, and still detects reuse of the others', async () => {
    freezeClock();
    const { tokens } = await signedIn(app);
    const longAgo = nowSeconds() - 7 * DAY;
    await addUsedGenerations(2600, (generation) => (generation > 1400 ? longAgo + 1 : longAgo));
    await upkeep();
    // Of the first 1600, which are more than 1000 behind, those of the last week stay.
    expect((await usedGenerations())[0]).toBe(1401);
    passSeconds(1);
    await upkeep();
    expect((await usedGenerations())[0]).toBe(1602);
    expect(await usedGenerations()).toHaveLength(999);

    const first = await refresh(tokens);
    expect(first.status).toBe(200);
    const second = await refresh(first.body as Tokens);
    expect(second.status).toBe(200);
    passSeconds(31);
    expect((await refresh(tokens)).code).toBe(3002);
    expect((await refresh(second.body as Tokens)).code).toBe(3002);
    expect(await count(Session)).toBe(0);
  });

  it('keeps all generations of a session that is as old but rarely refreshed', async () => {
    freezeClock();
    await signedIn(app);
    await addUsedGenerations(900, () => nowSeconds() - 20 * DAY);
    await upkeep();
    expect(await usedGenerations()).toHaveLength(900);
  });

  it('continues with the other steps when one fails', async () => {
    await addStates(1, nowSeconds());
    await app.dataSource.query('ALTER TABLE one_time_tokens RENAME TO mislaid');
    await upkeep();
    await app.dataSource.query('ALTER TABLE mislaid RENAME TO one_time_tokens');
    expect(await count(ConsumedState)).toBe(0);
    expect(app.log()).toContain('"step":"mailed links"');
  });

  it('finds due rows by an index', async () => {
    const queries = await collectQueries(app, () => upkeep());
    const looks = queries.filter(
      ({ sql }) => sql.startsWith('SELECT') && sql.includes(`LIMIT ${PURGE_BATCH}`),
    );
    expect(looks).toHaveLength(15);
    if (app.settings.database.kind !== 'sqlite') return;
    // There are only a few keys.
    for (const { sql, parameters } of looks.filter((look) => !look.sql.includes('"signing_keys"'))) {
      const plan = await app.dataSource.query<{ detail: string }[]>(
        `EXPLAIN QUERY PLAN ${sql}`,
        parameters as [],
      );
      const details = plan.map(({ detail }) => detail).join('; ');
      expect(details).toMatch(/^SEARCH .* USING (?:COVERING )?INDEX ix_/);
      expect(details).not.toMatch(/SCAN|TEMP B-TREE/);
    }
  });
});

describe('Housekeeping of several instances', () => {
  let other: TestApp;
  beforeEach(async () => (other = await startTestApp({ on: app })));
  afterEach(() => other.stop());

  it('is done by one at a time', async () => {
    await addStates(3 * PURGE_BATCH, nowSeconds());
    expect((await Promise.all([upkeep(), upkeep(other)])).sort()).toEqual([false, true]);
    expect(await count(ConsumedState)).toBe(0);
    expect(await upkeep(other)).toBe(true);
  });

  it('is finished by another when one stops in the middle', async () => {
    await addStates(4 * PURGE_BATCH, nowSeconds());
    const round = upkeep();
    await eventually(async () => (await count(ConsumedState)) < 4 * PURGE_BATCH, 'the first batch');
    await app.app.get(Housekeeping).stop();
    await round;
    expect(await count(ConsumedState)).toBeGreaterThan(0);
    expect(await upkeep(other)).toBe(true);
    expect(await count(ConsumedState)).toBe(0);
  });

  it('moves on from a crashed instance once its lease has expired', async () => {
    await upkeep(other);
    await addStates(1, nowSeconds());
    const died = "UPDATE leases SET owner = 'a dead instance', expires_at = ? WHERE name = 'housekeeping'";
    await app.dataSource.query(died, [nowSeconds() + 2]);
    expect(await upkeep()).toBe(false);
    expect(await count(ConsumedState)).toBe(1);
    await eventually(() => upkeep(), 'the end of the lease');
    expect(await count(ConsumedState)).toBe(0);
  });

  it('does not disturb refreshes', async () => {
    const { account } = await signedIn(app);
    const { manager } = app.dataSource;
    const template = await manager.findOneByOrFail(Session, {});
    const ids = Array.from({ length: 2 * PURGE_BATCH }, random);
    for (let start = 0; start < ids.length; start += 500) {
      const batch = ids.slice(start, start + 500);
      await manager.insert(
        Session,
        batch.map((id) => ({ ...template, id })),
      );
      await manager.insert(
        RefreshToken,
        [1, 2].flatMap((generation) =>
          batch.map((sessionId) => ({
            sessionId,
            generation,
            tokenHash: random(),
            createdAt: 1,
            expiresAt: 2,
            usedAt: generation === 1 ? 1 : null,
          })),
        ),
      );
    }
    const logins = await Promise.all(Array.from({ length: 8 }, () => login(app, account)));
    const failed = [app, other].map((place) => jest.spyOn(place.dataSource.logger, 'logQueryError'));
    const statuses: number[] = [];
    let isOver = false;
    const refreshing = logins.map(async (tokens) => {
      let newest = tokens;
      while (!isOver) {
        const answer = await refresh(newest);
        statuses.push(answer.status);
        if (answer.status !== 200) return;
        newest = answer.body as Tokens;
      }
    });
    await upkeep(other);
    isOver = true;
    await Promise.all(refreshing);
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(statuses.length).toBeGreaterThan(logins.length);
    expect(await count(Session)).toBe(logins.length + 1);
    // Deadlocks are retried silently, so the statements themselves are checked.
    for (const spy of failed) expect(spy).not.toHaveBeenCalled();
    for (const place of [app, other]) expect(place.log()).not.toContain('"level":"error"');
  });
});
