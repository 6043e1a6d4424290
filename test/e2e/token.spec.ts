import { createHmac, createPublicKey, createSign } from 'node:crypto';
import { CompoundStatement } from '../../src/database/compound-statement.js';
import { SigningKey } from '../../src/token/signing-key.entity.js';
import { KeyRotationService, PUBLISH_LEAD_SECONDS } from '../../src/token/key-rotation.service.js';
import { SigningKeysService } from '../../src/token/signing-keys.service.js';
import { RefreshToken } from '../../src/token/refresh-token.entity.js';
import { RefreshTokensService } from '../../src/token/refresh-tokens.service.js';
import { Session } from '../../src/token/session.entity.js';
import { VerifiedTokens } from '../../src/token/verified-tokens.js';
import { sha256 } from '../../src/common/crypto.js';
import { nowSeconds } from '../../src/common/time.js';
import { login, addAccount, signedIn, type TestAccount, type Tokens } from '../support/accounts.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { addApplication, detachScope, giveRole, type TestApplication } from '../support/applications.js';
import type { Answer } from '../support/client.js';
import { freezeClock, passSeconds, setClock, thawClock } from '../support/clock.js';
import { countByCode, expectFailure, expectOk } from '../support/expectations.js';
import { rsaKeys } from '../support/rsa-keys.js';
import { decodeToken, encodePart } from '../support/tokens.js';

const GRACE_SECONDS = 30;
const HOUR_SECONDS = 3600;
const DAY_SECONDS = 24 * HOUR_SECONDS;
const PARALLEL = 50;

let app: TestApp;
let shop: TestApplication;
beforeAll(async () => {
  app = await startTestApp();
  shop = await addApplication(app, {
    name: 'org.example.shop',
    roles: {
      customer: ['shop.buy', 'shop.look', 'shop.rate'],
      guest: ['shop.look'],
      nobody: [],
    },
  });
});
afterAll(() => app.close());
afterEach(thawClock);

function refresh({ refresh_token }: { refresh_token: unknown }, change: object = {}): Promise<Answer> {
  return app.client.post('/v1/token/refresh', { refresh_token, app_id: 'pluto', ...change });
}

async function refreshed(tokens: { refresh_token: string }, change: object = {}): Promise<Tokens> {
  const answer = await refresh(tokens, change);
  expectOk(answer);
  return answer.body as Tokens;
}

function info(token: string): Promise<Answer> {
  return app.client.get('/v1/user/info', { token });
}

function sessionIdOf({ access_token }: Tokens): string {
  return decodeToken(access_token).claims.sid;
}

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

    it('does so long after the grace period while the successor is unused', async () => {
      const { tokens } = await signedIn(app);
      const first = await refreshed(tokens);
      passSeconds(20 * DAY_SECONDS);
      expect((await refreshed(tokens)).refresh_token).toBe(first.refresh_token);
      await refreshed(first);
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

    it('takes it for stolen after that: the session ends with all its tokens', async () => {
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

    it('logs the theft with ids, and no token anywhere', async () => {
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
        .filter((line) => line.includes('"level":40'));
      expect(warnings.map((line) => JSON.parse(line) as unknown)).toEqual([
        expect.objectContaining({
          msg: 'a used refresh token was shown again: session ended',
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

  it(`lets ${PARALLEL} concurrent ones converge on one successor`, async () => {
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

  it('finds the successor when it was stored, and the answer of the database lost', async () => {
    const { tokens } = await signedIn(app);
    const compound = app.app.get(CompoundStatement);
    const apply = compound.apply.bind(compound);
    const lost = jest.spyOn(compound, 'apply').mockImplementationOnce(async (changes) => {
      // Elsewhere than on MariaDB the transaction makes them.
      await apply(changes);
      return false;
    });
    const next = await refreshed(tokens);
    lost.mockRestore();
    expect(await generationsOf(tokens)).toBe(2);
    expect((await refreshed(tokens)).refresh_token).toBe(next.refresh_token);
    await refreshed(next);
  });

  it('ends in one piece when the session is ended meanwhile', async () => {
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

  it('takes a token until the second before it expires, and then says 3011', async () => {
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

  describe('refuses, and uses nothing up,', () => {
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
      expectFailure(answer, 400, 1001, expect.stringMatching(`^Bad Request: ${field} takes`));
    });

    it('a token that is none with 3002', async () => {
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
        expectFailure(answer, 400, 1001, expect.stringMatching(/^Bad Request: refresh_token takes/));
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

    it('stay those of the session when none are asked for', async () => {
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

    it('that the role has lost disappear, and with none left the default takes their place', async () => {
      const wider = await ask(tokens, 'shop.look shop.rate');
      await detachScope(app, shop, 'customer', 'shop.rate');
      const narrower = await ask(wider);
      expect(scopesOf(narrower)).toEqual(['shop.look']);
      expect(scopesOf(await ask(narrower, 'shop.rate'))).toEqual(['shop.buy']);
    });

    it('go on from those of another refresh that came in between', async () => {
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

    it('follow the role that the account is given, as does its info', async () => {
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

describe('GET /v1/token/publickey', () => {
  it('gives a public key as PEM and nothing else', async () => {
    expectOk(await app.client.get('/v1/token/publickey'), {
      public_key: expect.stringMatching(
        /^-----BEGIN PUBLIC KEY-----\n[A-Za-z0-9+/=\n]+-----END PUBLIC KEY-----\n$/,
      ),
    });
  });
});

/** Makes tokens as a forger would, and some that only Pluto's own key can make. */
class Forge {
  constructor(
    private readonly token: string,
    private readonly keys: SigningKeysService,
  ) {}

  /** Another payload or header under the signature of the token. */
  tampered({ header = {}, claims = {} }: { header?: object; claims?: object }): string {
    const decoded = decodeToken(this.token);
    const [, , signature] = this.token.split('.');
    return `${this.unsigned({ ...decoded.header, ...header }, { ...decoded.claims, ...claims })}.${signature}`;
  }

  /** Signed with Pluto's own key. */
  async signed({ header = {}, claims = {} }: { header?: object; claims?: object }): Promise<string> {
    const { privateKey } = await this.keys.signingKey();
    return this.signedBy(privateKey.export({ type: 'pkcs8', format: 'pem' }) as string, { header, claims });
  }

  signedBy(privatePem: string, { header = {}, claims = {} }: { header?: object; claims?: object }): string {
    const decoded = decodeToken(this.token);
    const text = this.unsigned({ ...decoded.header, ...header }, { ...decoded.claims, ...claims });
    return `${text}.${createSign('RSA-SHA256').update(text).sign(privatePem, 'base64url')}`;
  }

  hmac(secret: string, header: object): string {
    const decoded = decodeToken(this.token);
    const text = this.unsigned({ ...decoded.header, ...header }, decoded.claims);
    return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
  }

  withoutSignature(header: object): string {
    const decoded = decodeToken(this.token);
    return `${this.unsigned({ ...decoded.header, ...header }, decoded.claims)}.`;
  }

  private unsigned(header: object, claims: object): string {
    return `${encodePart(header)}.${encodePart(claims)}`;
  }
}

describe.each([
  ['GET', (token: string) => app.client.get(`/v1/token/access/verify?token=${encodeURIComponent(token)}`)],
  ['POST', (token: string) => app.client.post('/v1/token/access/verify', { token })],
] as const)('%s /v1/token/access/verify', (method, verify) => {
  let tokens: Tokens;
  let forge: Forge;
  beforeAll(async () => {
    ({ tokens } = await signedIn(app));
    forge = new Forge(tokens.access_token, app.app.get(SigningKeysService));
  });

  /** Refused here, and by the guard of every route that asks for a token. */
  async function expectRefused(token: string, code: number): Promise<void> {
    expectFailure(await verify(token), 403, code);
    expectFailure(await info(token), 403, code);
  }

  it('answers with the claims of a good token', async () => {
    expectOk(await verify(tokens.access_token), decodeToken(tokens.access_token).claims);
  });

  it('takes what Pluto itself has signed', async () => {
    expectOk(await verify(await forge.signed({})));
  });

  it('refuses an expired token with 3008, from the second it expires', async () => {
    freezeClock();
    setClock(tokens.access_token_expire_at - 1);
    expectOk(await verify(tokens.access_token));
    setClock(tokens.access_token_expire_at);
    await expectRefused(tokens.access_token, 3008);
  });

  it.each(['junk', 'a.b.c', '..', '...', 'e30.e30.', 'null.null.null', 'Bearer x'])(
    'refuses %j with 3003',
    async (token) => {
      expectFailure(await verify(token), 403, 3003);
    },
  );

  it('refuses a refresh token with 3003', async () => {
    await expectRefused(tokens.refresh_token, 3003);
  });

  it('refuses a tampered payload, header or signature with 3003', async () => {
    const [header, payload, signature = ''] = tokens.access_token.split('.');
    const flipped = signature.replace(/./, (first) => (first === 'A' ? 'B' : 'A'));
    const forgeries = [
      forge.tampered({ claims: { sub: 1 } }),
      forge.tampered({ claims: { scopes: ['pluto.admin'] } }),
      forge.tampered({ claims: { exp: tokens.access_token_expire_at + 1 } }),
      forge.tampered({ header: { typ: 'at+jwt' } }),
      `${header}.${payload}.${flipped}`,
      `${header}.${payload}.${signature.slice(0, -4)}`,
      `${header}.${payload}.`,
      `${header}.${payload}`,
    ];
    for (const forgery of forgeries) await expectRefused(forgery, 3003);
  });

  it('refuses a token without signature (alg none) with 3003', async () => {
    for (const alg of ['none', 'None', 'NONE', '', undefined]) {
      await expectRefused(forge.withoutSignature({ alg }), 3003);
      await expectRefused(forge.tampered({ header: { alg } }), 3003);
    }
  });

  it('refuses a token signed by HMAC with the public key as its secret with 3003', async () => {
    const { public_key } = (await app.client.get('/v1/token/publickey')).body as { public_key: string };
    for (const secret of [public_key, public_key.trim(), '']) {
      await expectRefused(forge.hmac(secret, { alg: 'HS256' }), 3003);
      await expectRefused(forge.hmac(secret, { alg: 'RS256' }), 3003);
    }
  });

  it('refuses the key of someone else, whatever the header says of it, with 3003', async () => {
    const privateKey = rsaKeys.at(-1)!;
    const publicKey = createPublicKey(privateKey);
    const privatePem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
    const jwk = publicKey.export({ format: 'jwk' });
    const headers = [
      {},
      { kid: 'unknown' },
      { kid: undefined },
      { kid: '' },
      { kid: 1 },
      { kid: '../../etc/passwd' },
      { jwk },
      { kid: 'unknown', jwk },
      { jku: 'http://127.0.0.1:9/jwks.json' },
      { x5c: ['junk'] },
    ];
    for (const header of headers) await expectRefused(forge.signedBy(privatePem, { header }), 3003);
  });

  it('refuses a good signature under an unknown kid or another algorithm with 3003', async () => {
    const headers = [
      ...[{ kid: 'unknown' }, { kid: undefined }, { alg: 'RS512' }, { alg: 'PS256' }],
      // RFC 7515 section 4.1.11: what is critical must be understood; RFC 7797 section 7: JWTs are encoded.
      ...[{ crit: ['exp'], exp: 1 }, { crit: ['b64'], b64: false }, { crit: [] }],
    ];
    for (const header of headers) {
      await expectRefused(await forge.signed({ header }), 3003);
    }
  });

  it('refuses a token of another kind with 3003, though Pluto itself has signed it', async () => {
    const { sub } = decodeToken(tokens.access_token).claims;
    const changes = [
      { type: 'refresh' },
      { type: 'page' },
      { type: undefined },
      { type: ['access'] },
      { sid: undefined },
      { sid: 1 },
      { sub: String(sub) },
      { scopes: 'pluto.admin' },
      { scopes: [1] },
      { iss: undefined },
      { exp: undefined },
      { iat: undefined },
    ];
    for (const claims of changes) await expectRefused(await forge.signed({ claims }), 3003);
  });

  it('refuses a token of an unknown session, or of one of another account, with 3009', async () => {
    const other = decodeToken((await signedIn(app)).token).claims;
    await expectRefused(await forge.signed({ claims: { sid: 'unknown' } }), 3009);
    await expectRefused(await forge.signed({ claims: { sid: other.sid } }), 3009);
    await expectRefused(await forge.signed({ claims: { sub: other.sub } }), 3009);
  });

  it('refuses a token whose session has ended with 3009', async () => {
    const ended = (await signedIn(app)).tokens;
    await app.dataSource.manager.delete(Session, { id: sessionIdOf(ended) });
    await expectRefused(ended.access_token, 3009);
  });

  it('refuses a token that it has taken before as soon as its session has ended', async () => {
    const { tokens: own, token } = await signedIn(app);
    for (let time = 0; time < 2; time++) {
      expectOk(await verify(token));
      expectOk(await info(token));
    }
    await app.dataSource.manager.delete(Session, { id: sessionIdOf(own) });
    await expectRefused(token, 3009);
  });

  it('refuses a token that it has taken before when anything of it is changed', async () => {
    expectOk(await verify(tokens.access_token));
    expectOk(await info(tokens.access_token));
    await expectRefused(forge.tampered({ claims: { scopes: ['pluto.admin'] } }), 3003);
    const [header, payload, signature = ''] = tokens.access_token.split('.');
    const other = signature.startsWith('A') ? 'B' : 'A';
    await expectRefused(`${header}.${payload}.${other}${signature.slice(1)}`, 3003);
  });

  it('refuses a request without a token with 1001', async () => {
    const path = '/v1/token/access/verify';
    const answer = method === 'GET' ? await app.client.get(path) : await app.client.post(path, {});
    expectFailure(answer, 400, 1001, expect.stringMatching(/^Bad Request: token takes/));
    const twice = method === 'GET' ? await app.client.get(`${path}?token=a&token=b`) : answer;
    expectFailure(twice, 400, 1001);
  });
});

describe('Authorization on a route that asks for an access token', () => {
  let token: string;
  beforeAll(async () => ({ token } = await signedIn(app)));
  const call = (authorization?: string, path = '/v1/user/info') =>
    app.client.get(path, { headers: authorization === undefined ? {} : { authorization } });

  it.each(['Bearer', 'bearer', 'BEARER', 'jwt', 'JWT', 'Jwt'])('takes the scheme %s', async (scheme) => {
    expectOk(await call(`${scheme} ${token}`));
    expectOk(await call(`${scheme}   ${token} `));
    expectFailure(await call(`${scheme} junk`), 403, 3003);
  });

  it.each([
    ['none', () => undefined],
    ['an empty one', () => ''],
    ['a scheme alone', () => 'Bearer'],
    ['a scheme and blanks', () => 'Bearer   '],
    ['a token alone', () => token],
    ['Basic', () => `Basic ${Buffer.from(`user:${token}`).toString('base64')}`],
    ['Basic with the token', () => `Basic ${token}`],
    ['an unknown scheme', () => `Token ${token}`],
    ['two tokens', () => `Bearer ${token} ${token}`],
    ['a list', () => `Bearer ${token}, Bearer ${token}`],
    ['a scheme glued to the token', () => `Bearer${token}`],
    ['a colon', () => `Bearer:${token}`],
  ])('refuses %s with 1003 and says what it wants', async (_, authorization) => {
    const answer = await call(authorization());
    expectFailure(answer, 401, 1003);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
  });

  it('takes the token from nowhere else', async () => {
    expectFailure(await call(undefined, `/v1/user/info?access_token=${token}&token=${token}`), 401, 1003);
    const headers = { cookie: `access_token=${token}` };
    expectFailure(await app.client.get('/v1/user/info', { headers }), 401, 1003);
    expectFailure(await app.client.post('/v1/user/delete', { access_token: token }), 401, 1003);
  });

  it('says 1003 before it looks at the body', async () => {
    expectFailure(await app.client.put('/v1/user/info', { name: 5 }), 401, 1003);
  });
});

describe('GET /.well-known/jwks.json when keys rotate', () => {
  let own: TestApp;
  beforeAll(async () => (own = await startTestApp()));
  afterAll(() => own.close());
  beforeEach(() => freezeClock());

  const keys = () => own.app.get(KeyRotationService);
  const publishedKids = async () =>
    ((await own.client.get('/.well-known/jwks.json')).json as { keys: { kid: string }[] }).keys.map(
      ({ kid }) => kid,
    );
  const kidOf = (token: string) => decodeToken(token).header.kid as string;
  const ownInfo = (token: string) => own.client.get('/v1/user/info', { token });

  it('keeps no private key in clear in the table', async () => {
    const rows = JSON.stringify(await own.dataSource.query('SELECT * FROM signing_keys'));
    expect(rows).toContain('BEGIN PUBLIC KEY');
    expect(rows).not.toContain('PRIVATE KEY');
    const { privateKey } = await own.app.get(SigningKeysService).signingKey();
    const { d = '', p = '', q = '' } = privateKey.export({ format: 'jwk' });
    const der = privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64');
    for (const secret of [d, p, q, der.slice(100, 160)]) expect(rows).not.toContain(secret);
    for (const { sealedPrivateKey } of await own.dataSource.manager.find(SigningKey)) {
      expect(sealedPrivateKey).toMatch(/^v1\.[\w-]+$/);
    }
  });

  it('publishes the next key before it signs, and the old one until its last token has expired', async () => {
    const account = await addAccount(own);
    const before = await login(own, account);
    const oldKid = kidOf(before.access_token);
    const oldPem = (await own.client.get('/v1/token/publickey')).body.public_key as string;
    expect(await publishedKids()).toEqual([oldKid]);

    const [next] = await keys().rotate(null);
    expect(next).toMatchObject({ state: 'next' });
    passSeconds(30);
    expect(await publishedKids()).toEqual([next!.kid, oldKid]);
    expect(kidOf((await login(own, account)).access_token)).toBe(oldKid);
    await expect(keys().rotate(null)).rejects.toThrow(/already waiting to sign/);
    expect(await own.dataSource.manager.count(SigningKey)).toBe(2);

    passSeconds(PUBLISH_LEAD_SECONDS - 31);
    const last = await login(own, account);
    expect(kidOf(last.access_token)).toBe(oldKid);
    passSeconds(1);
    const after = await login(own, account);
    expect(kidOf(after.access_token)).toBe(next!.kid);
    expect((await own.client.get('/v1/token/publickey')).body.public_key).not.toBe(oldPem);
    for (const { access_token } of [before, last, after]) expectOk(await ownInfo(access_token));

    setClock(last.access_token_expire_at - 1);
    expect(await publishedKids()).toEqual([next!.kid, oldKid]);
    expectOk(await ownInfo(last.access_token));
    passSeconds(62);
    expect(await publishedKids()).toEqual([next!.kid]);
    expectFailure(await ownInfo(last.access_token), 403, 3003);

    await keys().purgeRetired(new AbortController().signal);
    expect(await own.dataSource.manager.count(SigningKey)).toBe(1);
    const refreshed = await own.client.post('/v1/token/refresh', {
      refresh_token: last.refresh_token,
      app_id: 'pluto',
    });
    expectOk(refreshed);
  });

  it('makes one key for two commands at once', async () => {
    passSeconds(3 * DAY_SECONDS);
    const before = await own.dataSource.manager.count(SigningKey);
    const outcomes = await Promise.allSettled([keys().rotate(null), keys().rotate(null)]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await own.dataSource.manager.count(SigningKey)).toBe(before + 1);
    const refusal = outcomes.find(({ status }) => status === 'rejected') as PromiseRejectedResult;
    expect(String(refusal.reason)).toMatch(/already waiting|under way/);
  });
});

describe('VerifiedTokens', () => {
  const { claims } = decodeToken(`${encodePart({})}.${encodePart({ exp: nowSeconds() + 3600 })}.`);
  const remembered = () => app.app.get(VerifiedTokens);
  let kid: string;
  beforeAll(async () => ({ kid } = await app.app.get(SigningKeysService).signingKey()));
  const hashOf = (number: number) => sha256(String(number));
  const remember = (number: number, of = claims, by = kid) =>
    remembered().remember(hashOf(number), { claims: of, kid: by });
  const recall = (number: number) => remembered().recall(hashOf(number));

  it('remembers a bounded number of tokens, those shown last', async () => {
    for (let number = 0; number < 5001; number++) remember(number);
    expect(await recall(0)).toBeNull();
    expect(await recall(1)).toBe(claims);
    remember(5001);
    expect(await recall(1)).toBe(claims);
    expect(await recall(2)).toBeNull();
  });

  it('forgets a token from the second it expires', async () => {
    freezeClock();
    remember(0, { ...claims, exp: nowSeconds() + 10 });
    passSeconds(9);
    expect(await recall(0)).not.toBeNull();
    passSeconds(1);
    expect(await recall(0)).toBeNull();
  });

  it('knows no token of a key that verifies none, any more or at all', async () => {
    remember(0, claims, 'another');
    expect(await recall(0)).toBeNull();
  });
});

describe('A restart', () => {
  it('goes on with the keys and sessions there are, but not under another SECRET_KEY', async () => {
    const first = await startTestApp();
    try {
      const { tokens } = await signedIn(first);
      await first.stop();
      const on = { ...first, close: () => Promise.resolve() };

      const stranger = await startTestApp({
        on,
        env: { SECRET_KEY: 'another secret key of the tests, as long' },
      });
      await expect(stranger.app.get(SigningKeysService).assertReadable()).rejects.toThrow(/SECRET_KEY/);
      await stranger.close();

      const second = await startTestApp({ on });
      await second.app.get(SigningKeysService).assertReadable();
      expectOk(await second.client.get('/v1/user/info', { token: tokens.access_token }));
      const { refresh_token } = tokens;
      expectOk(await second.client.post('/v1/token/refresh', { refresh_token, app_id: 'pluto' }));
      await second.close();
    } finally {
      await first.close();
    }
  });
});
