import {
  CompactSign,
  createLocalJWKSet,
  exportJWK,
  generateKeyPair,
  importJWK,
  type CompactJWSHeaderParameters,
  type CryptoKey,
  type JWK,
  type JWTVerifyGetKey,
} from 'jose';
import { verifyIdToken } from '../../src/auth/providers/id-token.js';
import { PlutoError } from '../../src/common/errors.js';

const ISSUER = 'https://issuer.example';
const now = Math.floor(Date.now() / 1000);
const claims = { iss: ISSUER, aud: 'app', sub: 'person', iat: now, exp: now + 3600 };

/** An issuer's key, published without an `alg` that would say what it is for. */
let published: JWK;
let secret: JWK;
let keys: JWTVerifyGetKey;
beforeAll(async () => {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  secret = await exportJWK(privateKey);
  published = { kty: secret.kty!, n: secret.n!, e: secret.e!, kid: 'known' };
  keys = createLocalJWKSet({ keys: [published] });
});

async function sign(
  header: Partial<CompactJWSHeaderParameters> = {},
  { payload = claims, crit = {} }: { payload?: object; crit?: Record<string, boolean> } = {},
): Promise<string> {
  const protectedHeader = { alg: 'RS256', kid: 'known', ...header };
  const key = (await importJWK(secret, protectedHeader.alg)) as CryptoKey;
  return new CompactSign(Buffer.from(JSON.stringify(payload)))
    .setProtectedHeader(protectedHeader)
    .sign(key, { crit });
}

function verify(token: string, source = keys) {
  return verifyIdToken(token, {
    keys: source,
    issuers: [ISSUER],
    audiences: ['app', 'web'],
    invalid: 'invalidGoogleIdToken',
  });
}

async function expectRefused(token: string): Promise<void> {
  await expect(verify(token)).rejects.toMatchObject({ key: 'invalidGoogleIdToken' });
}

describe('verifyIdToken', () => {
  it('reads the claims of a valid token, and only strings', async () => {
    const payload = { ...claims, email: 'a@example.com', email_verified: 'true', name: 7, azp: ['app'] };
    await expect(verify(await sign({}, { payload }))).resolves.toEqual({
      subject: 'person',
      mail: 'a@example.com',
      name: '',
      picture: '',
    });
  });

  it('takes a token without a key id where the issuer has one key', async () => {
    await expect(verify(await sign({ kid: undefined }))).resolves.toMatchObject({ subject: 'person' });
  });

  it.each(['RS384', 'RS512', 'PS256', 'PS384', 'PS512'])(
    "refuses %s though it is the issuer's own key that signed",
    async (alg) => expectRefused(await sign({ alg })),
  );

  it("refuses a stranger's key that the token itself brings along", async () => {
    const { privateKey, publicKey } = await generateKeyPair('RS256');
    const jwk = await exportJWK(publicKey);
    const token = await new CompactSign(Buffer.from(JSON.stringify(claims)))
      .setProtectedHeader({ alg: 'RS256', kid: 'known', jwk, jku: 'https://stranger.example/keys' })
      .sign(privateKey);
    await expectRefused(token);
  });

  it('refuses unknown critical headers (RFC 7515 section 4.1.11)', async () => {
    const header = { crit: ['urn:example:only'], 'urn:example:only': true };
    await expectRefused(await sign(header, { crit: { 'urn:example:only': true } }));
  });

  it.each<[string, object]>([
    ['one of our clients', { aud: 'web' }],
    ['one of our clients, in a list', { aud: ['app'] }],
    ['several of our clients', { aud: ['app', 'web'] }],
    ['one of our clients, asked for by another', { aud: 'web', azp: 'other' }],
  ])('takes a token that is for %s', async (_what, change) => {
    const token = await sign({}, { payload: { ...claims, ...change } });
    await expect(verify(token)).resolves.toMatchObject({ subject: 'person' });
  });

  it.each<[string, object]>([
    ['is for another client', { aud: 'other' }],
    ['is for another client, asked for by ours', { aud: 'other', azp: 'app' }],
    ['is for another client next to ours', { aud: ['app', 'other'] }],
    ['is for another client next to ours, asked for by ours', { aud: ['other', 'app'], azp: 'app' }],
    ['is for nobody', { aud: [], azp: 'app' }],
    ['is for null', { aud: null, azp: 'app' }],
    ['is for an empty text', { aud: '', azp: 'app' }],
    ['is for ours and null', { aud: ['app', null] }],
    ['is for ours in a list of lists', { aud: [['app']] }],
    ['is not good yet', { nbf: now + 120 }],
    ['has null for a subject', { sub: null }],
    ['has an issuer among others', { iss: [ISSUER] }],
    ['has a subject with a line break', { sub: 'person\n' }],
    ['has a subject with a zero', { sub: 'per\0son' }],
    ['has a subject that is a list', { sub: ['person'] }],
    ['has a time of expiry that is null', { exp: null }],
    ['has a time of issue that is a truth', { iat: true }],
  ])('refuses a token that %s', async (_what, change) => {
    await expectRefused(await sign({}, { payload: { ...claims, ...change } }));
  });

  it.each([
    ['a text', '"text"'],
    ['null', 'null'],
    ['a list', '[]'],
    ['cut JSON', '{"sub":'],
  ])('refuses a payload that is %s', async (_what, text) => {
    const key = (await importJWK(secret, 'RS256')) as CryptoKey;
    const token = await new CompactSign(Buffer.from(text)).setProtectedHeader({ alg: 'RS256' }).sign(key);
    await expectRefused(token);
  });

  it('does not refuse a token because keys are unavailable', async () => {
    const fault = new PlutoError('serviceUnavailable');
    await expect(verify(await sign(), () => Promise.reject(fault))).rejects.toBe(fault);
  });
});
