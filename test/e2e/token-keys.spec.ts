import { AuditEvent } from '../../src/audit/audit-event.entity.js';
import { nowSeconds } from '../../src/common/time.js';
import { SigningKey } from '../../src/token/signing-key.entity.js';
import { KeyRotationService, PUBLISH_LEAD_SECONDS } from '../../src/token/key-rotation.service.js';
import { SigningKeysService } from '../../src/token/signing-keys.service.js';
import { login, addAccount, signedIn } from '../support/accounts.js';
import { ADMIN, startTestApp, type TestApp } from '../support/app.js';
import { freezeClock, passSeconds, setClock } from '../support/clock.js';
import { expectFailure, expectOk } from '../support/expectations.js';
import { decodeToken } from '../support/tokens.js';
import { app, DAY_SECONDS, useShop } from '../support/token-requests.js';

useShop();

describe('GET /v1/token/publickey', () => {
  it('returns a public key as PEM and nothing else', async () => {
    expectOk(await app.client.get('/v1/token/publickey'), {
      public_key: expect.stringMatching(
        /^-----BEGIN PUBLIC KEY-----\n[A-Za-z0-9+/=\n]+-----END PUBLIC KEY-----\n$/,
      ),
    });
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

  it('never stores a private key in clear', async () => {
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

  it('creates one key for two concurrent commands', async () => {
    passSeconds(3 * DAY_SECONDS);
    const before = await own.dataSource.manager.count(SigningKey);
    const outcomes = await Promise.allSettled([keys().rotate(null), keys().rotate(null)]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await own.dataSource.manager.count(SigningKey)).toBe(before + 1);
    const refusal = outcomes.find(({ status }) => status === 'rejected') as PromiseRejectedResult;
    expect(String(refusal.reason)).toMatch(/already waiting|under way/);
  });
});

describe('A key that waits to sign', () => {
  let own: TestApp;
  beforeAll(async () => (own = await startTestApp()));
  afterAll(() => own.close());
  beforeEach(() => freezeClock());

  const keys = () => own.app.get(KeyRotationService);
  const pem = async () => (await own.client.get('/v1/token/publickey')).body.public_key as string;
  const signingKid = async () => decodeToken((await login(own, ADMIN)).access_token).header.kid as string;

  it('signs earlier by command, with the same second everywhere', async () => {
    const [oldKid, oldPem] = [await signingKid(), await pem()];
    const now = nowSeconds();
    const [planned] = await keys().rotate(null, 300 * DAY_SECONDS);
    passSeconds(DAY_SECONDS);
    expect([await signingKid(), await pem()]).toEqual([oldKid, oldPem]);
    await expect(keys().rotate(null, 0)).rejects.toThrow(/already waiting to sign/);

    const [next, former] = await keys().activate(null);
    const signsFrom = now + DAY_SECONDS + 30;
    expect(next).toMatchObject({ kid: planned!.kid, state: 'next', signsFrom });
    expect(former!.verifiesUntil).toBe(signsFrom + 30 + own.settings.accessTokenTtlSeconds);
    passSeconds(29);
    expect([await signingKid(), await pem()]).toEqual([oldKid, oldPem]);
    passSeconds(1);
    expect(await signingKid()).toBe(planned!.kid);
    expect(await pem()).not.toBe(oldPem);
    await expect(keys().activate(null)).rejects.toThrow('no key is waiting to sign');
  });

  it('is published for ten minutes before, and lets a longer token of the old key expire', async () => {
    passSeconds(400 * DAY_SECONDS);
    const oldKid = await signingKid();
    const now = nowSeconds();
    await keys().rotate(null, 30 * DAY_SECONDS);
    await own.app.get(SigningKeysService).keepUntil(oldKid, now + 2 * DAY_SECONDS);
    const [next, former] = await keys().activate(null);
    expect(next!.signsFrom).toBe(now + PUBLISH_LEAD_SECONDS);
    expect(former!.verifiesUntil).toBe(now + 2 * DAY_SECONDS);
  });

  it('signs immediately if the old one has leaked, by one of two concurrent commands', async () => {
    passSeconds(800 * DAY_SECONDS);
    const oldKid = await signingKid();
    const [planned] = await keys().rotate(null, 30 * DAY_SECONDS);
    const activated = () => own.dataSource.manager.countBy(AuditEvent, { type: 'key.activated' });
    const before = await activated();
    const outcomes = await Promise.allSettled([keys().activate(null, 0), keys().activate(null, 0)]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const refusal = outcomes.find(({ status }) => status === 'rejected') as PromiseRejectedResult;
    expect(String(refusal.reason)).toMatch(/no key is waiting|in progress/);
    expect(await activated()).toBe(before + 1);
    passSeconds(30);
    expect(await signingKid()).toBe(planned!.kid);
    expect(planned!.kid).not.toBe(oldKid);
  });
});

describe('A restart', () => {
  it('keeps keys and sessions, but fails under another SECRET_KEY', async () => {
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
