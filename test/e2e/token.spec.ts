import { createHmac, createPublicKey, createSign } from 'node:crypto';
import { SigningKeysService } from '../../src/token/signing-keys.service.js';
import { Session } from '../../src/token/session.entity.js';
import { VerifiedTokens } from '../../src/token/verified-tokens.js';
import { sha256 } from '../../src/common/crypto.js';
import { nowSeconds } from '../../src/common/time.js';
import { addAccount, login, signedIn, type Tokens } from '../support/accounts.js';
import { attachScope, detachScope, giveRole } from '../support/applications.js';
import { freezeClock, passSeconds, setClock } from '../support/clock.js';
import { expectFailure, expectOk } from '../support/expectations.js';
import { rsaKeys } from '../support/rsa-keys.js';
import { decodeToken, encodePart } from '../support/tokens.js';
import { app, info, refreshed, sessionIdOf, shop, useShop } from '../support/token-requests.js';

useShop();

/** Creates forged tokens, and some that only Pluto's own key can sign. */
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

  /** Refused here and by the guard of every route that requires a token. */
  async function expectRefused(token: string, code: number): Promise<void> {
    expectFailure(await verify(token), 403, code);
    expectFailure(await info(token), 403, code);
  }

  it('returns the claims of a valid token', async () => {
    expectOk(await verify(tokens.access_token), decodeToken(tokens.access_token).claims);
  });

  it('accepts tokens signed by Pluto', async () => {
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

  it('refuses a foreign key, whatever the header says, with 3003', async () => {
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

  it('refuses a valid signature under an unknown kid or another algorithm with 3003', async () => {
    const headers = [
      ...[{ kid: 'unknown' }, { kid: undefined }, { alg: 'RS512' }, { alg: 'PS256' }],
      // RFC 7515 section 4.1.11: what is critical must be understood; RFC 7797 section 7: JWTs are encoded.
      ...[{ crit: ['exp'], exp: 1 }, { crit: ['b64'], b64: false }, { crit: [] }],
    ];
    for (const header of headers) {
      await expectRefused(await forge.signed({ header }), 3003);
    }
  });

  it('refuses a token of another kind with 3003, even if signed by Pluto', async () => {
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

  it('refuses a cached token as soon as its session has ended', async () => {
    const { tokens: own, token } = await signedIn(app);
    for (let time = 0; time < 2; time++) {
      expectOk(await verify(token));
      expectOk(await info(token));
    }
    await app.dataSource.manager.delete(Session, { id: sessionIdOf(own) });
    await expectRefused(token, 3009);
  });

  it('leaves out scopes that the role has lost, and those of a role that the account has lost', async () => {
    const account = await addAccount(app, { app_id: shop.name });
    const { refresh_token } = await login(app, account);
    const wide = await refreshed({ refresh_token }, { app_id: shop.name, scopes: 'shop.look shop.rate' });
    const scopesNow = async () => (await verify(wide.access_token)).body.scopes as string[];
    expect(await scopesNow()).toEqual(['shop.look', 'shop.rate']);
    await detachScope(app, shop, 'customer', 'shop.rate');
    expect(await scopesNow()).toEqual(['shop.look']);
    const { sub } = decodeToken(wide.access_token).claims;
    await giveRole(app, sub, shop, 'nobody');
    expect(await scopesNow()).toEqual([]);
    await giveRole(app, sub, shop, 'guest');
    expect(await scopesNow()).toEqual(['shop.look']);
    await attachScope(app, shop, 'customer', 'shop.rate');
  });

  it('refuses a cached token if any part of it is changed', async () => {
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
    expectFailure(answer, 400, 1001, expect.stringMatching(/^Bad Request: token must be/));
    const twice = method === 'GET' ? await app.client.get(`${path}?token=a&token=b`) : answer;
    expectFailure(twice, 400, 1001);
  });
});

describe('Authorization on a route that requires an access token', () => {
  let token: string;
  beforeAll(async () => ({ token } = await signedIn(app)));
  const call = (authorization?: string, path = '/v1/user/info') =>
    app.client.get(path, { headers: authorization === undefined ? {} : { authorization } });

  it.each(['Bearer', 'bearer', 'BEARER', 'jwt', 'JWT', 'Jwt'])('accepts the scheme %s', async (scheme) => {
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
  ])('refuses %s with 1003 and names the scheme', async (_, authorization) => {
    const answer = await call(authorization());
    expectFailure(answer, 401, 1003);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
  });

  it('accepts the token from nowhere else', async () => {
    expectFailure(await call(undefined, `/v1/user/info?access_token=${token}&token=${token}`), 401, 1003);
    const headers = { cookie: `access_token=${token}` };
    expectFailure(await app.client.get('/v1/user/info', { headers }), 401, 1003);
    expectFailure(await app.client.post('/v1/user/delete', { access_token: token }), 401, 1003);
  });

  it('answers 1003 before it validates the body', async () => {
    expectFailure(await app.client.put('/v1/user/info', { name: 5 }), 401, 1003);
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

  it('caches a limited number of tokens, the most recent ones', async () => {
    for (let number = 0; number < 5001; number++) remember(number);
    expect(await recall(0)).toBeNull();
    expect(await recall(1)).toBe(claims);
    remember(5001);
    expect(await recall(1)).toBe(claims);
    expect(await recall(2)).toBeNull();
  });

  it('drops a token from the second it expires', async () => {
    freezeClock();
    remember(0, { ...claims, exp: nowSeconds() + 10 });
    passSeconds(9);
    expect(await recall(0)).not.toBeNull();
    passSeconds(1);
    expect(await recall(0)).toBeNull();
  });

  it('returns no token of a key that does not verify tokens', async () => {
    remember(0, claims, 'another');
    expect(await recall(0)).toBeNull();
  });
});
