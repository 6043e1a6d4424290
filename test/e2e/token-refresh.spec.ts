import { CompoundStatement } from '../../src/database/mysql/compound-statement.js';
import { RefreshToken } from '../../src/token/refresh-token.entity.js';
import { RefreshTokensService } from '../../src/token/refresh-tokens.service.js';
import { Session } from '../../src/token/session.entity.js';
import { login, addAccount, signedIn, type TestAccount, type Tokens } from '../support/accounts.js';
import { detachScope, giveRole } from '../support/applications.js';
import { freezeClock, passSeconds, setClock } from '../support/clock.js';
import { countByCode, expectFailure, expectOk } from '../support/expectations.js';
import { decodeToken } from '../support/tokens.js';
import {
  app,
  DAY_SECONDS,
  HOUR_SECONDS,
  info,
  refresh,
  refreshed,
  sessionIdOf,
  shop,
  useShop,
} from '../support/token-requests.js';

useShop();

const GRACE_SECONDS = 30;
const PARALLEL = 50;

function scopesOf({ access_token }: Tokens): string[] {
  return decodeToken(access_token).claims.scopes;
}

/** How many refresh tokens the session has had; each exchange adds one. */
function generationsOf(tokens: Tokens): Promise<number> {
  return app.dataSource.manager.countBy(RefreshToken, { sessionId: sessionIdOf(tokens) });
}

describe('POST /v1/token/refresh', () => {
  it('answers with a new pair of the same session', async () => {
    freezeClock();
    const { tokens } = await signedIn(app);
    passSeconds(60);
    const now = Math.floor(Date.now() / 1000);
    const answer = await refresh(tokens);
    expectOk(answer, {
      access_token: expect.any(String),
      access_token_expire_at: now + HOUR_SECONDS,
      refresh_token: expect.stringMatching(/^[\w-]{43}$/),
      refresh_token_expire_at: now + 28 * DAY_SECONDS,
      type: 'Bearer',
    });
    const next = answer.body as Tokens;
    expect(next.refresh_token).not.toBe(tokens.refresh_token);
    expect(decodeToken(next.access_token).claims).toEqual({
      ...decodeToken(tokens.access_token).claims,
      iat: now,
      exp: now + HOUR_SECONDS,
    });
    expect((await info(next.access_token)).status).toBe(200);
    expect((await info(tokens.access_token)).status).toBe(200);
  });

  describe('with a token that was used before', () => {
    beforeEach(() => freezeClock());

    it('answers with the same successor again', async () => {
      const { tokens } = await signedIn(app);
      const first = await refreshed(tokens);
      passSeconds(5);
      const second = await refreshed(tokens);
      expect(second.refresh_token).toBe(first.refresh_token);
      expect(second.refresh_token_expire_at).toBe(first.refresh_token_expire_at);
      expect(await generationsOf(tokens)).toBe(2);
    });

    it('does so after the grace period while the successor is unused', async () => {
      const { tokens } = await signedIn(app);
      const first = await refreshed(tokens);
      passSeconds(14 * DAY_SECONDS);
      expect((await refreshed(tokens)).refresh_token).toBe(first.refresh_token);
      await refreshed(first);
    });

    it('treats it as stolen after fourteen days', async () => {
      const { tokens } = await signedIn(app);
      const first = await refreshed(tokens);
      passSeconds(14 * DAY_SECONDS + 1);
      expectFailure(await refresh(tokens), 403, 3002);
      expectFailure(await refresh(first), 403, 3002);
    });

    it('notices two that refresh in turns, each with a copy, by their sixth refresh', async () => {
      const { tokens } = await signedIn(app);
      let held = tokens;
      for (let round = 1; round <= 5; round++) {
        passSeconds(HOUR_SECONDS / 2);
        const owner = await refreshed(held);
        passSeconds(HOUR_SECONDS / 2);
        const thief = await refreshed(held);
        expect(thief.refresh_token).toBe(owner.refresh_token);
        held = owner;
      }
      passSeconds(HOUR_SECONDS / 2);
      const last = await refreshed(held);
      passSeconds(HOUR_SECONDS / 2);
      expectFailure(await refresh(held), 403, 3002);
      expectFailure(await refresh(last), 403, 3002);
    });

    it('bears with an app that loses each answer but waits for its access token to expire', async () => {
      const { tokens } = await signedIn(app);
      let held = tokens;
      for (let round = 1; round <= 12; round++) {
        passSeconds(HOUR_SECONDS);
        await refreshed(held);
        passSeconds(GRACE_SECONDS + 1);
        held = await refreshed(held);
      }
      passSeconds(HOUR_SECONDS);
      await refreshed(held);
    });

    it('treats it as stolen if another device sends it after the grace period', async () => {
      const account = await addAccount(app);
      const tokens = await login(app, account, { device_id: 'phone-1' });
      const first = await refreshed(tokens, { device_id: 'phone-1' });
      passSeconds(GRACE_SECONDS + 1);
      expect((await refreshed(tokens, { device_id: 'phone-1' })).refresh_token).toBe(first.refresh_token);
      expect((await refreshed(tokens)).refresh_token).toBe(first.refresh_token);
      expectFailure(await refresh(tokens, { device_id: 'phone-2' }), 403, 3002);
      expectFailure(await refresh(first), 403, 3002);
    });

    it('does so within the grace period though the successor was used', async () => {
      const { tokens } = await signedIn(app);
      const second = await refreshed(tokens);
      const third = await refreshed(second);
      passSeconds(GRACE_SECONDS);
      expect((await refreshed(tokens)).refresh_token).toBe(second.refresh_token);
      expect((await refreshed(second)).refresh_token).toBe(third.refresh_token);
      await refreshed(third);
    });

    it('treats it as stolen after that: the session ends with all its tokens', async () => {
      const { account, tokens } = await signedIn(app);
      const elsewhere = await login(app, account);
      const bystander = await signedIn(app);
      const second = await refreshed(tokens);
      const third = await refreshed(second);
      passSeconds(GRACE_SECONDS + 1);
      expectFailure(await refresh(tokens), 403, 3002);

      for (const dead of [tokens, second, third]) {
        expectFailure(await refresh(dead), 403, 3002);
        expectFailure(await info(dead.access_token), 403, 3009);
      }
      for (const live of [elsewhere, bystander.tokens]) {
        expect((await info(live.access_token)).status).toBe(200);
        await refreshed(live);
      }
    });

    it('logs the reuse with ids, and never a token', async () => {
      const { tokens } = await signedIn(app);
      const second = await refreshed(tokens);
      const third = await refreshed(second);
      passSeconds(GRACE_SECONDS + 1);
      const before = app.log().length;
      const refused = await refresh(tokens);
      expectFailure(refused, 403, 3002);

      const warnings = app
        .log()
        .slice(before)
        .split('\n')
        .filter((line) => line.includes('"level":"warn"'));
      expect(warnings.map((line) => JSON.parse(line) as unknown)).toEqual([
        expect.objectContaining({
          msg: 'refresh token was reused: session ended',
          requestId: refused.headers.get('x-request-id'),
          sessionId: sessionIdOf(tokens),
          userId: decodeToken(tokens.access_token).claims.sub,
        }),
      ]);
      for (const { access_token, refresh_token } of [tokens, second, third]) {
        expect(app.log()).not.toContain(refresh_token);
        expect(app.log()).not.toContain(access_token.split('.')[2]);
      }
    });

    it('counts the grace period from the first use', async () => {
      const { tokens } = await signedIn(app);
      const second = await refreshed(tokens);
      passSeconds(GRACE_SECONDS);
      await refreshed(tokens);
      await refreshed(second);
      passSeconds(1);
      expectFailure(await refresh(tokens), 403, 3002);
    });
  });

  it(`lets ${PARALLEL} concurrent requests converge on one successor`, async () => {
    const { tokens } = await signedIn(app);
    const answers = await Promise.all(Array.from({ length: PARALLEL }, () => refresh(tokens)));
    expect(countByCode(answers)).toEqual({ 0: PARALLEL });
    const successors = new Set(answers.map(({ body }) => body.refresh_token as string));
    expect(successors.size).toBe(1);
    expect(await generationsOf(tokens)).toBe(2);
    const [successor = ''] = successors;
    await refreshed({ refresh_token: successor });
    expect((await info(answers.at(-1)!.body.access_token as string)).status).toBe(200);
  });

  it("finds the successor if it was stored but the database's response was lost", async () => {
    const { tokens } = await signedIn(app);
    const compound = app.app.get(CompoundStatement);
    const apply = compound.apply.bind(compound);
    const lost = jest.spyOn(compound, 'apply').mockImplementationOnce(async (changes) => {
      // Only MariaDB has compound statements; elsewhere the transaction makes the changes.
      await apply(changes);
      return false;
    });
    const next = await refreshed(tokens);
    lost.mockRestore();
    expect(await generationsOf(tokens)).toBe(2);
    expect((await refreshed(tokens)).refresh_token).toBe(next.refresh_token);
    await refreshed(next);
  });

  it('leaves a consistent state when the session is ended meanwhile', async () => {
    const { tokens, token } = await signedIn(app);
    const [deletion, ...answers] = await Promise.all([
      app.client.post('/v1/user/delete', undefined, { token }),
      ...Array.from({ length: 10 }, () => refresh(tokens)),
    ]);
    expectOk(deletion);
    for (const { code } of answers) expect([0, 3002]).toContain(code);
    expectFailure(await refresh(tokens), 403, 3002);
    expect(await generationsOf(tokens)).toBe(0);
  });

  it('accepts a token until the second before it expires, then answers 3011', async () => {
    freezeClock();
    const { account, tokens } = await signedIn(app);
    const other = await login(app, account);
    setClock(tokens.refresh_token_expire_at - 1);
    const next = await refreshed(tokens);
    expect(next.refresh_token_expire_at).toBe(tokens.refresh_token_expire_at - 1 + 28 * DAY_SECONDS);
    setClock(other.refresh_token_expire_at);
    expectFailure(await refresh(other), 403, 3011);
    await refreshed(next);
  });

  describe('at the end of SESSION_MAX_AGE', () => {
    const YEAR_SECONDS = 365 * DAY_SECONDS;

    /** Refreshes weekly until the last week of the session. */
    async function lastWeekOf(tokens: Tokens): Promise<Tokens> {
      const begun = Math.floor(Date.now() / 1000);
      let held = tokens;
      for (let week = 1; week <= 52; week++) {
        setClock(begun + 7 * week * DAY_SECONDS);
        held = await refreshed(held);
      }
      return held;
    }

    it('gives tokens that expire with the session, then answers 3011', async () => {
      freezeClock();
      const end = Math.floor(Date.now() / 1000) + YEAR_SECONDS;
      const { tokens } = await signedIn(app);
      const last = await lastWeekOf(tokens);
      expect(last.refresh_token_expire_at).toBe(end);
      setClock(end - 60);
      const short = await refreshed(last);
      expect(short.access_token_expire_at).toBe(end);
      expect(decodeToken(short.access_token).claims.exp).toBe(end);
      setClock(end);
      expectFailure(await refresh(short), 403, 3011);
      expectFailure(await info(short.access_token), 403, 3008);
    });
  });

  describe('refuses, without consuming the token,', () => {
    let tokens: Tokens;
    beforeEach(async () => ({ tokens } = await signedIn(app)));
    afterEach(async () => {
      expect(await generationsOf(tokens)).toBe(1);
      await refreshed(tokens);
    });

    it('another application with 3010', async () => {
      expectFailure(await refresh(tokens, { app_id: shop.name }), 403, 3010);
    });

    it('an unknown application with 4005', async () => {
      expectFailure(await refresh(tokens, { app_id: 'org.example.unknown' }), 403, 4005);
    });

    it.each([
      ['app_id', { app_id: undefined }],
      ['app_id', { app_id: 1 }],
      ['scopes', { scopes: ['pluto.user'] }],
      ['scopes', { scopes: 'pluto.user\n' }],
      ['scopes', { scopes: 's'.repeat(4097) }],
    ])('a wrong %s with 1001: %j', async (field, change) => {
      const answer = await refresh(tokens, change);
      expectFailure(answer, 400, 1001, expect.stringMatching(`^Bad Request: ${field} must be`));
    });

    it('an invalid token with 3002', async () => {
      const { refresh_token, access_token } = tokens;
      const flipped = refresh_token.replace(/./, (first) => (first === 'A' ? 'B' : 'A'));
      const others = [
        'junk',
        'A'.repeat(43),
        flipped,
        `${refresh_token} `,
        refresh_token.slice(1),
        access_token,
      ];
      for (const other of others) expectFailure(await refresh({ refresh_token: other }), 403, 3002);
    });

    it('a token of a wrong type with 1001', async () => {
      for (const other of [undefined, null, '', 1, ['x'], {}, 'x'.repeat(8193), 'x\0']) {
        const answer = await refresh({ refresh_token: other });
        expectFailure(answer, 400, 1001, expect.stringMatching(/^Bad Request: refresh_token must be/));
      }
    });

    it("an OAuth client's session with 3002", async () => {
      const { manager } = app.dataSource;
      const id = sessionIdOf(tokens);
      await manager.update(Session, { id }, { clientKey: 'some-client' });
      expectFailure(await refresh(tokens), 403, 3002);
      await manager.update(Session, { id }, { clientKey: null });
    });
  });

  describe('scopes', () => {
    let account: TestAccount;
    let tokens: Tokens;
    beforeEach(async () => {
      account = await addAccount(app, { app_id: shop.name });
      tokens = await login(app, account);
    });
    const ask = (from: Tokens, scopes?: string | null) => refreshed(from, { app_id: shop.name, scopes });

    it('stay those of the session when none are requested', async () => {
      expect(scopesOf(tokens)).toEqual(['shop.buy']);
      const wider = await ask(tokens, 'shop.look shop.rate');
      expect(scopesOf(wider)).toEqual(['shop.look', 'shop.rate']);
      const same = await ask(wider, null);
      expect(scopesOf(same)).toEqual(['shop.look', 'shop.rate']);
      expect(scopesOf(await ask(same, ''))).toEqual(['shop.look', 'shop.rate']);
    });

    it.each([
      ['shop.look', ['shop.look']],
      ['shop.rate,shop.buy', ['shop.rate', 'shop.buy']],
      ['  shop.buy ,, shop.look  ', ['shop.buy', 'shop.look']],
      ['shop.look shop.look', ['shop.look']],
      ['shop.look pluto.admin shop.steal', ['shop.look']],
      ['pluto.admin', ['shop.buy']],
      ['SHOP.LOOK', ['shop.buy']],
      [' , ', ['shop.buy']],
    ])('asked for as %j are those that the role has', async (asked, granted) => {
      expect(scopesOf(await ask(tokens, asked))).toEqual(granted);
    });

    it('that the role has lost are dropped, and replaced by the default if none is left', async () => {
      const wider = await ask(tokens, 'shop.look shop.rate');
      await detachScope(app, shop, 'customer', 'shop.rate');
      const narrower = await ask(wider);
      expect(scopesOf(narrower)).toEqual(['shop.look']);
      expect(scopesOf(await ask(narrower, 'shop.rate'))).toEqual(['shop.buy']);
    });

    it('continue from those of a refresh in between', async () => {
      const refreshTokens = app.app.get(RefreshTokensService);
      const find = refreshTokens.find.bind(refreshTokens);
      const lookUp = jest.spyOn(refreshTokens, 'find');
      lookUp.mockImplementationOnce(async (hash) => {
        const found = await find(hash);
        const widened = { scopes: ['shop.buy', 'shop.look'] };
        await app.dataSource.manager.update(Session, { id: sessionIdOf(tokens) }, widened);
        return found;
      });
      expect(scopesOf(await ask(tokens))).toEqual(['shop.buy', 'shop.look']);
      expect(lookUp).toHaveBeenCalledTimes(2);
      lookUp.mockRestore();
    });

    it('follow the role assigned to the account, as does its info', async () => {
      const { sub } = decodeToken(tokens.access_token).claims;
      expect((await info(tokens.access_token)).body.role).toBe('customer');
      await giveRole(app, sub, shop, 'guest');
      const asGuest = await ask(tokens);
      expect(scopesOf(asGuest)).toEqual(['shop.look']);
      expect((await info(asGuest.access_token)).body.role).toBe('guest');
      await giveRole(app, sub, shop, 'nobody');
      const asNobody = await ask(asGuest);
      expect(scopesOf(asNobody)).toEqual([]);
      await giveRole(app, sub, shop, 'customer');
      expect(scopesOf(await ask(asNobody))).toEqual(['shop.buy']);
    });
  });
});
