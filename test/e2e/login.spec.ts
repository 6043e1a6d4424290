import { createPublicKey, verify } from 'node:crypto';
import { createLocalJWKSet, jwtVerify, type JSONWebKeySet } from 'jose';
import { PasswordHasher } from '../../src/auth/password/password-hasher.service.js';
import { Session } from '../../src/token/session.entity.js';
import { User } from '../../src/users/user.entity.js';
import { addAccount, login, registerVerified, registration, type TestAccount } from '../support/accounts.js';
import { ADMIN, startTestApp, type TestApp } from '../support/app.js';
import { addApplication, type TestApplication } from '../support/applications.js';
import type { Answer } from '../support/client.js';
import { freezeClock, thawClock } from '../support/clock.js';
import { expectFailure, expectOk } from '../support/expectations.js';
import { decodeToken } from '../support/tokens.js';
import { addUser } from '../support/users.js';

const HOUR_SECONDS = 3600;
const FOUR_WEEKS_SECONDS = 28 * 24 * HOUR_SECONDS;

let app: TestApp;
let shop: TestApplication;
beforeAll(async () => {
  app = await startTestApp();
  shop = await addApplication(app, {
    name: 'org.example.shop',
    roles: { customer: ['shop.buy', 'shop.look'], guest: ['shop.look'] },
  });
});
afterAll(() => app.close());

function send(body: object, headers: Record<string, string> = {}): Promise<Answer> {
  return app.client.post('/v1/user/login/account', body, { headers });
}

function attempt({ mail, password, app_id }: TestAccount): Promise<Answer> {
  return send({ account: mail, password, app_id });
}

function idOf(token: string): number {
  return decodeToken(token).claims.sub;
}

function sessionOf(token: string): Promise<Session> {
  return app.dataSource.manager.findOneByOrFail(Session, { id: decodeToken(token).claims.sid });
}

async function setPasswordHash(account: TestAccount, passwordHash: string | null): Promise<User> {
  const user = await app.dataSource.manager.findOneByOrFail(User, { handle: account.user_id });
  await app.dataSource.manager.update(User, { id: user.id }, { passwordHash });
  return user;
}

describe('POST /v1/user/login/account', () => {
  it('answers with an access token and a refresh token', async () => {
    freezeClock();
    try {
      const now = Math.floor(Date.now() / 1000);
      const account = await addAccount(app);
      expectOk(await attempt(account), {
        access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
        access_token_expire_at: now + HOUR_SECONDS,
        refresh_token: expect.stringMatching(/^[\w-]{43}$/),
        refresh_token_expire_at: now + FOUR_WEEKS_SECONDS,
        type: 'Bearer',
      });
    } finally {
      thawClock();
    }
  });

  it('accepts mail, handle and application in any case', async () => {
    const account = await addAccount(app);
    const { mail, user_id, password } = account;
    // Phone keyboards add a space.
    const names = [mail, mail.toUpperCase(), user_id, user_id.toUpperCase(), `${mail} `, `${user_id} `];
    const answers = await Promise.all(
      names.flatMap((name) => [
        send({ account: name, password, app_id: 'pluto' }),
        send({ account: name, password, app_id: 'Pluto' }),
      ]),
    );
    expect(answers.map(({ code }) => code)).toEqual(answers.map(() => 0));
    expect(new Set(answers.map(({ body }) => idOf(body.access_token as string))).size).toBe(1);
    expect(new Set(answers.map(({ body }) => decodeToken(body.access_token as string).claims.iss))).toEqual(
      new Set(['pluto']),
    );
  });

  it('gives every login its own session and tokens', async () => {
    const account = await addAccount(app);
    const [one, two] = await Promise.all([login(app, account), login(app, account)]);
    expect(one.refresh_token).not.toBe(two.refresh_token);
    expect(decodeToken(one.access_token).claims.sid).not.toBe(decodeToken(two.access_token).claims.sid);
  });

  describe('refuses', () => {
    it('an unknown account and a wrong password with the same message and 3001', async () => {
      const account = await addAccount(app);
      const wrong = await attempt({ ...account, password: 'not the password' });
      expectFailure(wrong, 403, 3001);
      for (const name of ['nobody@example.com', 'nobody', '@', 'a b c', "' OR 1=1 --", '%', account.name]) {
        const unknown = await send({ account: name, password: account.password, app_id: 'pluto' });
        expect([unknown.status, unknown.json]).toEqual([403, wrong.json]);
      }
    });

    it('a password in another case, trimmed or cut with 3001', async () => {
      const account = await registerVerified(app, { password: ' Pass word 1 ' });
      for (const password of ['Pass word 1', ' pass word 1 ', ' Pass word 1', ' Pass word 1  ', ' ', 'P']) {
        expectFailure(await attempt({ ...account, password }), 403, 3001);
      }
      await login(app, account);
    });

    it("another application's account with 3001", async () => {
      const here = await addAccount(app);
      const there = await addAccount(app, { app_id: shop.name });
      expectFailure(await attempt({ ...here, app_id: shop.name }), 403, 3001);
      expectFailure(await attempt({ ...there, app_id: 'pluto' }), 403, 3001);
      expectFailure(await attempt({ ...ADMIN, user_id: '', name: '', app_id: shop.name }), 403, 3001);
    });

    it('an account without a password with 3001', async () => {
      const account = await addAccount(app);
      await setPasswordHash(account, null);
      expectFailure(await attempt(account), 403, 3001);
    });

    it('an unverified mail with 2003, only for the right password', async () => {
      const account = registration();
      await app.client.post('/v1/user/register', account);
      expectFailure(await attempt(account), 403, 2003);
      expectFailure(await send({ ...account, account: account.user_id }), 403, 2003);
      expectFailure(await attempt({ ...account, password: 'not the password' }), 403, 3001);
    });

    it('an unknown application with 4005', async () => {
      const account = await addAccount(app);
      expectFailure(await attempt({ ...account, app_id: 'org.example.unknown' }), 403, 4005);
    });

    it.each(['account', 'password', 'app_id'])(
      'a body whose %s is missing or wrong with 1001',
      async (field) => {
        const valid = { account: 'ann', password: 'a password', app_id: 'pluto' };
        const wrong = [undefined, null, '', 1, true, ['ann'], { $ne: '' }, 'x\ud800', 'x'.repeat(1025)];
        for (const value of wrong) {
          const answer = await send({ ...valid, [field]: value });
          expectFailure(answer, 400, 1001, expect.stringMatching(`^Bad Request: ${field} must be`));
        }
      },
    );
  });

  describe('device_id', () => {
    let account: TestAccount;
    beforeAll(async () => (account = await addAccount(app)));
    const withDevice = (device_id: unknown) =>
      send({ account: account.mail, password: account.password, app_id: 'pluto', device_id });

    it.each([
      [undefined, ''],
      [null, ''],
      ['', ''],
      ['phone-1', 'phone-1'],
      ['ＩＤ 📱', 'ＩＤ 📱'],
      ['d'.repeat(255), 'd'.repeat(255)],
    ])('may be %j', async (deviceId, remembered) => {
      const answer = await withDevice(deviceId);
      expectOk(answer);
      expect((await sessionOf(answer.body.access_token as string)).deviceId).toBe(remembered);
    });

    it.each([['d'.repeat(256)], ['phone\n1'], ['phone\0'], [7], [['phone-1']], [{ id: 1 }], [true]])(
      'is refused as %j with 1001',
      async (deviceId) => {
        expectFailure(await withDevice(deviceId), 400, 1001, expect.stringMatching(/device_id must be/));
      },
    );
  });

  describe('the session', () => {
    it('stores address and user agent, and ignores a forwarded address', async () => {
      const account = await addAccount(app);
      const answer = await send(
        { account: account.mail, password: account.password, app_id: 'pluto' },
        { 'user-agent': 'PlutoKit/1.0 (iPhone)', 'x-forwarded-for': '203.0.113.9' },
      );
      expect(await sessionOf(answer.body.access_token as string)).toMatchObject({
        address: '127.0.0.1',
        userAgent: 'PlutoKit/1.0 (iPhone)',
        clientKey: null,
        scopes: ['pluto.user'],
      });
    });

    it('accepts a user agent of any length', async () => {
      const account = await addAccount(app);
      const answer = await send(
        { account: account.mail, password: account.password, app_id: 'pluto' },
        { 'user-agent': `${'u'.repeat(254)}éé${'u'.repeat(3000)}` },
      );
      expectOk(answer);
      expect((await sessionOf(answer.body.access_token as string)).userAgent).toHaveLength(255);
    });
  });

  describe('the access token', () => {
    it('has the header and the claims of the contract', async () => {
      const account = await addAccount(app);
      const { access_token, access_token_expire_at } = await login(app, account);
      const { header, claims } = decodeToken(access_token);
      expect(header).toEqual({ alg: 'RS256', typ: 'JWT', kid: expect.any(String) });
      expect(claims).toEqual({
        type: 'access',
        iat: access_token_expire_at - HOUR_SECONDS,
        exp: access_token_expire_at,
        sub: expect.any(Number),
        iss: 'pluto',
        scopes: ['pluto.user'],
        sid: expect.any(String),
      });
      for (const time of [claims.iat, claims.exp, claims.sub]) expect(Number.isInteger(time)).toBe(true);
      const info = await app.client.get('/v1/user/info', { token: access_token });
      expect(info.body.sub).toBe(claims.sub);
    });

    it('has the default scope of the role: that of the application, or the one given', async () => {
      const customer = await addAccount(app, { app_id: shop.name });
      const claims = decodeToken((await login(app, customer)).access_token).claims;
      expect([claims.iss, claims.scopes]).toEqual([shop.name, ['shop.buy']]);
      const admin = decodeToken((await login(app, ADMIN)).access_token).claims;
      expect(admin.scopes).toEqual(['pluto.admin']);
    });

    it('has an empty array of scopes in an application without roles', async () => {
      const bare = await addApplication(app, { name: 'org.example.bare' });
      const account = await addAccount(app, { app_id: bare.name });
      expect(decodeToken((await login(app, account)).access_token).claims.scopes).toEqual([]);
    });

    it('is verified by the key from /v1/token/publickey with plain RSA', async () => {
      const { access_token } = await login(app, await addAccount(app));
      const { public_key } = (await app.client.get('/v1/token/publickey')).body as { public_key: string };
      const [header, payload, signature = ''] = access_token.split('.');
      const isGood = (signed: string) =>
        verify(
          'RSA-SHA256',
          Buffer.from(signed),
          createPublicKey(public_key),
          Buffer.from(signature, 'base64url'),
        );
      expect(isGood(`${header}.${payload}`)).toBe(true);
      expect(isGood(`${header}.${payload}x`)).toBe(false);
    });

    it('is verified by a standard library with /.well-known/jwks.json', async () => {
      const { access_token } = await login(app, await addAccount(app));
      const answer = await app.client.get('/.well-known/jwks.json');
      const keySet = answer.json as JSONWebKeySet;
      expect(keySet.keys).toHaveLength(1);
      expect(Object.keys(keySet.keys[0]!).sort()).toEqual(['alg', 'e', 'kid', 'kty', 'n', 'use']);
      const { payload } = await jwtVerify(access_token, createLocalJWKSet(keySet), {
        issuer: 'pluto',
        algorithms: ['RS256'],
      });
      expect(payload).toEqual(decodeToken(access_token).claims);
    });
  });

  it('does the same work for accounts that are unknown, unconfirmed or have no password as for a wrong password', async () => {
    const account = await addAccount(app);
    const unconfirmed = registration();
    expectOk(await app.client.post('/v1/user/register', unconfirmed));
    await addUser(app, {
      handle: 'social',
      identities: [{ loginType: 'google', mail: 'social@example.com' }],
    });
    const wrong = { ...account, password: 'not the password' };
    const kinds = {
      wrong,
      unknown: { ...wrong, mail: 'nobody@example.com' },
      unconfirmed: { ...wrong, mail: unconfirmed.mail },
      social: { ...wrong, mail: 'social' },
    };
    let hashed = 0;
    app.app.get(PasswordHasher).onHashed(() => hashed++);
    const work: Record<string, number> = {};
    for (const [kind, one] of Object.entries(kinds)) {
      hashed = 0;
      expectFailure(await attempt(one), 403, 3001);
      work[kind] = hashed;
    }
    expect(work).toEqual({ wrong: 1, unknown: 1, unconfirmed: 1, social: 1 });
  });
});
