import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import sharp from 'sharp';
import { Mail } from '../../src/mail/mail.entity.js';
import { Application } from '../../src/rbac/application.entity.js';
import { UserRole } from '../../src/rbac/user-role.entity.js';
import { User } from '../../src/users/user.entity.js';
import { login, addAccount, registration, signedIn, type TestAccount } from '../support/accounts.js';
import { ADMIN, startTestApp, type TestApp } from '../support/app.js';
import { addApplication, giveRole, type TestApplication } from '../support/applications.js';
import { nextNumber, type Answer } from '../support/client.js';
import { freezeClock, passSeconds, thawClock } from '../support/clock.js';
import { expectFailure, expectOk } from '../support/expectations.js';
import { decodeToken } from '../support/tokens.js';

const PUBLIC_URL = 'http://pluto.test';
const KIB = 1024;

let app: TestApp;
let shop: TestApplication;
beforeAll(async () => {
  app = await startTestApp();
  shop = await addApplication(app, {
    name: 'org.example.shop',
    roles: { customer: ['shop.buy'], guest: ['shop.look'] },
  });
});
afterAll(() => app.close());
afterEach(thawClock);

function info(token: string): Promise<Answer> {
  return app.client.get('/v1/user/info', { token });
}

function update(token: string, change: unknown): Promise<Answer> {
  return app.client.put('/v1/user/info', change, { token });
}

function idOf(token: string): number {
  return decodeToken(token).claims.sub;
}

describe('GET /v1/user/info', () => {
  it('tells everything of the account, and nothing more', async () => {
    freezeClock();
    const now = Math.floor(Date.now() / 1000);
    const { account, token } = await signedIn(app, {
      mail: `Mixed.Case${nextNumber()}@Example.com`.replace('E', 'e'),
    });
    expectOk(await info(token), {
      sub: idOf(token),
      user_id: account.user_id,
      user_id_updated: false,
      name: account.name,
      avatar: '',
      mail: account.mail,
      role: 'user',
      app_id: 'pluto',
      verified: true,
      created_at: now,
      updated_at: now,
      is_password_set: true,
      bindings: [{ login_type: 'mail', mail: account.mail }],
    });
  });

  it("tells the role in the token's application, and an empty one where there is none", async () => {
    const bare = await addApplication(app, { name: 'org.example.bare' });
    const inShop = await signedIn(app, { app_id: shop.name });
    const inBare = await signedIn(app, { app_id: bare.name });
    expect((await info(inShop.token)).body).toMatchObject({ role: 'customer', app_id: shop.name });
    expect((await info(inBare.token)).body).toMatchObject({ role: '', app_id: bare.name });
    await giveRole(app, idOf(inShop.token), shop, 'guest');
    expect((await info(inShop.token)).body.role).toBe('guest');
  });

  it('refuses a request without a token with 1003', async () => {
    expectFailure(await app.client.get('/v1/user/info'), 401, 1003);
  });
});

describe('PUT /v1/user/info', () => {
  it('changes one field and leaves the others', async () => {
    freezeClock();
    const { account, token } = await signedIn(app);
    const before = (await info(token)).body as Record<string, unknown>;
    passSeconds(5);
    const now = Math.floor(Date.now() / 1000);
    expectOk(await update(token, { name: '  Ann 王  ' }), {});
    const named = { ...before, name: 'Ann 王', updated_at: now };
    expectOk(await info(token), named);

    expectOk(await update(token, { avatar: 'https://example.com/ann.png', name: null }), {});
    const pictured = { ...named, avatar: 'https://example.com/ann.png' };
    expectOk(await info(token), pictured);

    const user_id = `${account.user_id}_new`;
    expectOk(await update(token, { user_id, name: undefined, avatar: null }), {});
    expectOk(await info(token), { ...pictured, user_id, user_id_updated: true });
  });

  it('changes all fields at once, and ignores what it does not know', async () => {
    const { account, token } = await signedIn(app);
    const change = { name: 'All', avatar: 'http://example.com/a', user_id: `all${nextNumber()}` };
    expectOk(await update(token, { ...change, mail: 'x@example.com', role: 'admin', verified: false }), {});
    expect((await info(token)).body).toMatchObject({
      ...change,
      mail: account.mail,
      role: 'user',
      verified: true,
    });
  });

  it.each([[{}], [{ name: null }], [{ name: null, avatar: null, user_id: null }], [{ nickname: 'Ann' }]])(
    'refuses a change of nothing with 1001 and names the fields: %j',
    async (change) => {
      const { token } = await signedIn(app);
      const answer = await update(token, change);
      expectFailure(answer, 400, 1001, expect.stringMatching(/name.*avatar.*user_id/));
    },
  );

  const notTexts = [1, 0, true, false, [], ['a'], {}, { $set: 1 }, 'lone \ud800'];
  it.each([
    ['name', ['', '   ', 'n'.repeat(61), 'two\nlines', 'nul\0', ...notTexts]],
    ['user_id', ['', 'a b', 'a@b', 'é', 'a'.repeat(101), 'a\n', ...notTexts]],
    ['avatar', notTexts],
  ])('refuses a wrong %s with 1001 and changes nothing', async (field, values) => {
    const { token } = await signedIn(app);
    const before = await info(token);
    for (const value of values) {
      const valid = { name: 'Valid', user_id: `valid${nextNumber()}`, avatar: '' };
      const answer = await update(token, { ...valid, [field]: value });
      expectFailure(answer, 400, 1001, expect.stringMatching(`^Bad Request: ${field} takes`));
    }
    expect((await info(token)).json).toEqual(before.json);
  });

  it('names every field at fault in one message', async () => {
    const { token } = await signedIn(app);
    const answer = await update(token, { name: '', user_id: 'a b', avatar: 5 });
    expectFailure(answer, 400, 1001);
    for (const field of ['name', 'user_id', 'avatar'])
      expect(answer.json.error.message).toContain(`${field} takes`);
  });

  describe('user_id', () => {
    it('that another account of the application has is refused with 2006, without regard to case', async () => {
      const taken = await addAccount(app);
      const pending = registration();
      await app.client.post('/v1/user/register', pending);
      const { token } = await signedIn(app);
      const before = await info(token);
      for (const user_id of [taken.user_id, taken.user_id.toUpperCase(), pending.user_id]) {
        expectFailure(await update(token, { user_id, name: 'Not me' }), 403, 2006);
      }
      expect((await info(token)).json).toEqual(before.json);
    });

    it('that an account of another application has is free', async () => {
      const there = await addAccount(app, { app_id: shop.name });
      const { token } = await signedIn(app);
      expectOk(await update(token, { user_id: there.user_id }), {});
    });

    it('may change its own case', async () => {
      const { account, token } = await signedIn(app);
      const user_id = account.user_id.toUpperCase();
      expectOk(await update(token, { user_id }), {});
      expect((await info(token)).body).toMatchObject({ user_id, user_id_updated: true });
    });

    it('counts as changed only if it differs', async () => {
      const { account, token } = await signedIn(app);
      expectOk(await update(token, { user_id: account.user_id, name: 'Same' }), {});
      expect((await info(token)).body).toMatchObject({ user_id_updated: false, name: 'Same' });
    });

    it('signs in from then on, and the old one is free', async () => {
      const { account, token } = await signedIn(app);
      const user_id = `renamed${nextNumber()}`;
      expectOk(await update(token, { user_id }), {});
      const attempt = (name: string) =>
        app.client.post('/v1/user/login/account', { ...account, account: name });
      expectOk(await attempt(user_id));
      expectFailure(await attempt(account.user_id), 403, 3001);
      expectOk(await app.client.post('/v1/user/register', registration({ user_id: account.user_id })));
    });

    it('goes to exactly one of several who want it at once', async () => {
      const users = await Promise.all(Array.from({ length: 5 }, () => signedIn(app)));
      const user_id = `wanted${nextNumber()}`;
      const answers = await Promise.all(users.map(({ token }) => update(token, { user_id })));
      expect(answers.map(({ code }) => code).sort()).toEqual([0, 2006, 2006, 2006, 2006]);
    });
  });

  it('refuses a request without a token with 1003', async () => {
    expectFailure(await app.client.put('/v1/user/info', { name: 'Ann' }), 401, 1003);
  });
});

const plain = (width = 8) =>
  sharp({ create: { width, height: width, channels: 3, background: { r: 255, g: 0, b: 0 } } });
const png = () => plain().png().toBuffer();
const jpeg = () => plain().jpeg().toBuffer();

/** A picture that does not compress, of about three bytes a pixel. */
async function bigPng(width: number): Promise<Buffer> {
  const pixels = Buffer.from(Uint8Array.from({ length: width * width * 3 }, (_, i) => (i * i * 7919) >> 7));
  const raw = { width, height: width, channels: 3 as const };
  return sharp(pixels, { raw }).png({ compressionLevel: 0 }).toBuffer();
}

const avatarFolder = () => join(app.dataDir, 'avatars');
const storedAvatars = () => (existsSync(avatarFolder()) ? readdirSync(avatarFolder()) : []);
const pathOf = (avatar: string) => avatar.slice(PUBLIC_URL.length);

async function avatarOf(token: string): Promise<string> {
  return (await info(token)).body.avatar as string;
}

/** Sends a target as it is, where fetch would tidy it up. */
function getRaw(target: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(app.url);
    request({ hostname, port, path: target }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }),
      );
    })
      .on('error', reject)
      .end();
  });
}

describe('PUT /v1/user/info with an avatar', () => {
  it.each([
    ['a PNG', png, '', 'image/png', 'png'],
    ['a JPEG', jpeg, '', 'image/jpeg', 'jpg'],
    ['a PNG with a data: prefix', png, 'data:image/png;base64,', 'image/png', 'png'],
    ['a JPEG with a data: prefix', jpeg, 'data:image/jpeg;base64,', 'image/jpeg', 'jpg'],
    ['a JPEG with the data: prefix of a PNG', jpeg, 'data:image/png;base64,', 'image/jpeg', 'jpg'],
  ])('keeps %s and serves it', async (_, make, prefix, type, extension) => {
    const { token } = await signedIn(app);
    expectOk(await update(token, { avatar: prefix + (await make()).toString('base64') }), {});
    const avatar = await avatarOf(token);
    expect(avatar).toMatch(new RegExp(`^${PUBLIC_URL}/avatars/[0-9a-f]{32}\\.${extension}$`));

    const served = await fetch(app.url + pathOf(avatar));
    expect(served.status).toBe(200);
    expect(Object.fromEntries(served.headers)).toMatchObject({
      'content-type': type,
      'cache-control': 'public, max-age=31536000, immutable',
      'x-content-type-options': 'nosniff',
    });
    const { format, width } = await sharp(Buffer.from(await served.arrayBuffer())).metadata();
    expect([format, width]).toEqual([extension === 'jpg' ? 'jpeg' : 'png', 8]);
  });

  it('takes line breaks in the base64, as Foundation makes them', async () => {
    const { token } = await signedIn(app);
    const wrapped = (await jpeg()).toString('base64').replace(/.{64}/g, '$&\r\n');
    expectOk(await update(token, { avatar: wrapped }), {});
  });

  it('makes a large picture small', async () => {
    const { token } = await signedIn(app);
    const large = (await plain(2000).jpeg().toBuffer()).toString('base64');
    expectOk(await update(token, { avatar: large }), {});
    const served = await fetch(app.url + pathOf(await avatarOf(token)));
    const { width, height } = await sharp(Buffer.from(await served.arrayBuffer())).metadata();
    expect([width, height]).toEqual([512, 512]);
  });

  it('takes a URL as it is', async () => {
    const { token } = await signedIn(app);
    for (const avatar of ['https://example.com/a.png?s=1&t=%20#x', 'http://127.0.0.1:9/é']) {
      expectOk(await update(token, { avatar }), {});
      expect(await avatarOf(token)).toBe(avatar);
    }
  });

  it('removes the picture for an empty text', async () => {
    const { token } = await signedIn(app);
    for (const avatar of [(await png()).toString('base64'), 'https://example.com/a.png']) {
      expectOk(await update(token, { avatar }), {});
      expectOk(await update(token, { avatar: '' }), {});
      expect(await avatarOf(token)).toBe('');
    }
  });

  it('deletes the file of the picture before, and serves it no more', async () => {
    const { token } = await signedIn(app);
    const others = storedAvatars();
    const replacements = [(await png()).toString('base64'), (await jpeg()).toString('base64')];
    let before: string | undefined;
    for (const avatar of [...replacements, 'https://example.com/a.png', replacements[0], '']) {
      expectOk(await update(token, { avatar }), {});
      const now = await avatarOf(token);
      if (before?.startsWith(PUBLIC_URL)) expect((await getRaw(pathOf(before))).status).toBe(404);
      const isOurs = now.startsWith(PUBLIC_URL);
      expect(storedAvatars().filter((file) => !others.includes(file))).toEqual(
        isOurs ? [now.slice(`${PUBLIC_URL}/avatars/`.length)] : [],
      );
      before = now;
    }
  });

  it('keeps the picture when only the name changes', async () => {
    const { token } = await signedIn(app);
    await update(token, { avatar: (await png()).toString('base64') });
    const avatar = await avatarOf(token);
    expectOk(await update(token, { name: 'Renamed' }), {});
    expect(await avatarOf(token)).toBe(avatar);
    expect((await getRaw(pathOf(avatar))).status).toBe(200);
  });

  it('leaves one file when several pictures come at once', async () => {
    const { token } = await signedIn(app);
    const others = storedAvatars();
    const avatar = (await png()).toString('base64');
    const answers = await Promise.all(Array.from({ length: 5 }, () => update(token, { avatar })));
    for (const answer of answers) expectOk(answer, {});
    const current = (await avatarOf(token)).slice(`${PUBLIC_URL}/avatars/`.length);
    expect(storedAvatars().filter((file) => !others.includes(file))).toEqual([current]);
  });

  it('keeps no file when the change is refused', async () => {
    const taken = await addAccount(app);
    const { token } = await signedIn(app);
    const files = storedAvatars();
    const avatar = (await png()).toString('base64');
    expectFailure(await update(token, { avatar, user_id: taken.user_id }), 403, 2006);
    expectFailure(await update(token, { avatar, name: '' }), 400, 1001);
    expect(storedAvatars()).toEqual(files);
    expect(await avatarOf(token)).toBe('');
  });

  it('refuses what is no picture with 3006 and keeps the one there is', async () => {
    const { token } = await signedIn(app);
    await update(token, { avatar: 'https://example.com/kept.png' });
    const files = storedAvatars();
    const good = await png();
    const gif = await plain().gif().toBuffer();
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>');
    const junk = [
      'junk',
      '!!!!',
      'data:image/png;base64,',
      'data:text/html;base64,PGI+',
      'data:image/svg+xml;base64,' + svg.toString('base64'),
      Buffer.from('no picture at all').toString('base64'),
      gif.toString('base64'),
      svg.toString('base64'),
      good.subarray(0, 40).toString('base64'),
      good.subarray(0, 8).toString('base64'),
      'javascript:alert(1)',
      'ftp://example.com/a.png',
      '//example.com/a.png',
      'http://',
      'https://user:password@example.com/a.png',
      `https://example.com/${'a'.repeat(2048)}`,
      'https://example.com/a b.png',
      'https://example.com/"onerror=alert(1)',
      ' ',
    ];
    for (const avatar of junk) expectFailure(await update(token, { avatar, name: 'Junk' }), 400, 3006);
    expect((await info(token)).body).toMatchObject({ avatar: 'https://example.com/kept.png' });
    expect((await info(token)).body.name).not.toBe('Junk');
    expect(storedAvatars()).toEqual(files);
  });

  it('takes a body of almost 3 MiB, and refuses a larger one with 1007', async () => {
    const { token } = await signedIn(app);
    const picture = (await bigPng(840)).toString('base64');
    expect(picture.length).toBeGreaterThan(2.5 * KIB * KIB);
    const padded = (size: number) => {
      const body = JSON.stringify({ avatar: picture, padding: '' });
      return JSON.stringify({ avatar: picture, padding: 'x'.repeat(size - body.length) });
    };
    expectOk(await update(token, padded(3 * KIB * KIB)), {});
    expectFailure(await update(token, padded(3 * KIB * KIB + 1)), 413, 1007);
  });

  it('is the only request that may be so large', async () => {
    const { account, token } = await signedIn(app);
    const padding = 'x'.repeat(64 * KIB);
    expectFailure(await app.client.post('/v1/user/delete', { padding }, { token }), 413, 1007);
    expectFailure(await app.client.post('/v1/user/login/account', { ...account, padding }), 413, 1007);
    expectFailure(await app.client.post('/v1/token/refresh', { padding }), 413, 1007);
    expect((await info(token)).status).toBe(200);
  });
});

describe('GET /avatars/{file}', () => {
  const secret = 'not for the public';
  beforeAll(async () => {
    const { token } = await signedIn(app);
    await update(token, { avatar: (await png()).toString('base64') });
    writeFileSync(join(app.dataDir, 'secret.txt'), secret);
    writeFileSync(join(avatarFolder(), 'notes.txt'), secret);
    writeFileSync(join(avatarFolder(), '.hidden'), secret);
    writeFileSync(join(avatarFolder(), `${'0'.repeat(32)}.png.tmp`), secret);
    writeFileSync(join(avatarFolder(), `${'0'.repeat(32)}.svg`), secret);
    mkdirSync(join(avatarFolder(), 'folder'));
    writeFileSync(join(avatarFolder(), 'folder', `${'0'.repeat(32)}.png`), secret);
  });

  it.each([
    '/avatars/../secret.txt',
    '/avatars/..%2fsecret.txt',
    '/avatars/..%2Fsecret.txt',
    '/avatars/%2e%2e/secret.txt',
    '/avatars/%2e%2e%2fsecret.txt',
    '/avatars/..%5csecret.txt',
    '/avatars/..\\secret.txt',
    '/avatars/....//secret.txt',
    '/avatars/folder/../../secret.txt',
    '/avatars/folder/%2e%2e/%2e%2e/secret.txt',
    '/avatars/%252e%252e%252fsecret.txt',
    '/avatars/..%00/secret.txt',
    '/avatars//etc/passwd',
    '/avatars/%2fetc%2fpasswd',
    '/web/assets/../../secret.txt',
    '/web/assets/..%2f..%2fpackage.json',
  ])('serves nothing from outside its folder for %s', async (target) => {
    const { status, text } = await getRaw(target);
    expect([400, 403, 404]).toContain(status);
    expect(text).not.toContain(secret);
    expect(text).not.toMatch(/root:|"dependencies"/);
  });

  it.each([
    'notes.txt',
    '.hidden',
    `${'0'.repeat(32)}.png.tmp`,
    `${'0'.repeat(32)}.svg`,
    `folder/${'0'.repeat(32)}.png`,
    'folder',
    'folder/',
    '',
    `${'1'.repeat(32)}.png`,
  ])('serves nothing but pictures that were stored: not %j', async (file) => {
    const answer = await app.client.get(`/avatars/${file}`);
    expectFailure(answer, 404, 1005);
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  it('takes no other method', async () => {
    expect((await app.client.post(`/avatars/${'0'.repeat(32)}.png`, {})).status).toBe(405);
    expect((await app.client.request('DELETE', `/avatars/${'0'.repeat(32)}.png`)).status).toBe(405);
  });
});

describe('GET /v1/user/info/public', () => {
  const publicInfo = (query: string) => app.client.get(`/v1/user/info/public${query}`);

  it('tells id, name and avatar, keyed by id, and nothing more', async () => {
    const [ann, bob] = [await signedIn(app), await signedIn(app, { app_id: shop.name })];
    await update(ann.token, { avatar: 'https://example.com/ann.png' });
    const [annId, bobId] = [idOf(ann.token), idOf(bob.token)];
    expectOk(await publicInfo(`?ids=${annId}&ids=${bobId}`), {
      [annId]: { id: annId, name: ann.account.name, avatar: 'https://example.com/ann.png' },
      [bobId]: { id: bobId, name: bob.account.name, avatar: '' },
    });
  });

  it('takes one id, and the same one several times', async () => {
    const { account, token } = await signedIn(app);
    const id = idOf(token);
    const expected = { [id]: { id, name: account.name, avatar: '' } };
    expectOk(await publicInfo(`?ids=${id}`), expected);
    expectOk(await publicInfo(`?${`ids=${id}&`.repeat(5)}`), expected);
  });

  it('leaves out unknown ids', async () => {
    const id = idOf((await signedIn(app)).token);
    const answer = await publicInfo(`?ids=2147483647&ids=${id}`);
    expect(Object.keys(answer.body as object)).toEqual([String(id)]);
    expectOk(await publicInfo('?ids=2147483647'), {});
  });

  it('answers {} when it is asked for nobody', async () => {
    expectOk(await publicInfo(''), {});
    expectOk(await publicInfo('?other=1'), {});
  });

  it('takes 100 ids, and refuses more with 1001', async () => {
    const query = (count: number) =>
      `?${Array.from({ length: count }, (_, index) => `ids=${1_000_000 + index}`).join('&')}`;
    expectOk(await publicInfo(query(100)), {});
    expectFailure(await publicInfo(query(101)), 400, 1001, expect.stringMatching(/ids/));
  });

  it.each([
    'abc',
    '',
    '0',
    '-1',
    '1.5',
    '1e3',
    '0x1',
    '2147483648',
    '99999999999',
    '1,2',
    '1 OR 1=1',
    'null',
  ])('refuses the id %j with 1001 and names ids', async (id) => {
    const answer = await publicInfo(`?ids=1&ids=${encodeURIComponent(id)}`);
    expectFailure(answer, 400, 1001, expect.stringMatching(/^Bad Request: ids/));
  });
});

describe('GET /v1/user/info/{userId}/public', () => {
  const byHandle = (handle: string, query = '') => app.client.get(`/v1/user/info/${handle}/public${query}`);

  it('tells id, name and avatar, without regard to case', async () => {
    const { account, token } = await signedIn(app);
    const expected = { id: idOf(token), name: account.name, avatar: '' };
    expectOk(await byHandle(account.user_id), expected);
    expectOk(await byHandle(account.user_id.toUpperCase()), expected);
  });

  it('is narrowed by app_id; without it the oldest account is shown', async () => {
    const { user_id } = registration();
    const here = await signedIn(app, { user_id });
    const there = await signedIn(app, { user_id, app_id: shop.name });
    expect((await byHandle(user_id)).body.id).toBe(idOf(here.token));
    expect((await byHandle(user_id, '?app_id=pluto')).body.id).toBe(idOf(here.token));
    expect((await byHandle(user_id, `?app_id=${shop.name}`)).body.id).toBe(idOf(there.token));
  });

  it('refuses an unknown handle, or one unknown in that application, with 2005', async () => {
    const { user_id } = await addAccount(app);
    expectFailure(await byHandle('nobody'), 403, 2005);
    expectFailure(await byHandle(user_id, `?app_id=${shop.name}`), 403, 2005);
    for (const junk of ['a%20b', '%00', 'a%2Fb', '%F0%9F%99%82', 'a'.repeat(101), '..%2f']) {
      expectFailure(await byHandle(junk), 403, 2005);
    }
  });

  it('refuses an unknown application with 4005', async () => {
    const { user_id } = await addAccount(app);
    expectFailure(await byHandle(user_id, '?app_id=org.example.unknown'), 403, 4005);
  });

  it('refuses a wrong app_id with 1001', async () => {
    for (const query of ['?app_id=', '?app_id=a&app_id=b', `?app_id=${'a'.repeat(101)}`]) {
      expectFailure(
        await byHandle('ann', query),
        400,
        1001,
        expect.stringMatching(/^Bad Request: app_id takes/),
      );
    }
  });
});

describe('POST /v1/user/delete', () => {
  const remove = (token: string) => app.client.post('/v1/user/delete', undefined, { token });

  /** Every row of every table that names the account in any of its columns, by table. */
  async function findTraces({ id, texts }: { id: number; texts: string[] }): Promise<Record<string, number>> {
    const traces: Record<string, number> = {};
    for (const { tableName, columns } of app.dataSource.entityMetadatas) {
      const references = columns
        .filter(({ referencedColumn }) => referencedColumn?.entityMetadata.tableName === 'users')
        .map(({ databaseName }) => databaseName);
      const rows = await app.dataSource.query<Record<string, unknown>[]>(`SELECT * FROM ${tableName}`);
      const found = rows.filter(
        (row) =>
          references.some((column) => Number(row[column]) === id) ||
          (tableName === 'users' && Number(row.id) === id) ||
          Object.values(row).some((value) =>
            texts.some((text) => String(value).toLowerCase().includes(text)),
          ),
      );
      if (found.length > 0) traces[tableName] = found.length;
    }
    return traces;
  }

  /** The audit trail goes on telling, by the account's number, that there was one. */
  async function countRows(): Promise<Record<string, number>> {
    const { entityMetadatas, manager } = app.dataSource;
    const tables = entityMetadatas.filter(({ tableName }) => tableName !== 'audit_events');
    const counts = await Promise.all(
      tables.map(async ({ tableName, target }) => [tableName, await manager.count(target)] as const),
    );
    return Object.fromEntries(counts);
  }

  /** An account that has left its mark wherever an account can. */
  async function signedInEverywhere(
    change: Partial<TestAccount> = {},
  ): Promise<{ token: string; id: number }> {
    const { account, token } = await signedIn(app, { app_id: shop.name, ...change });
    const id = idOf(token);
    await giveRole(app, id, shop, 'guest');
    const { refresh_token } = await login(app, account);
    await app.client.post('/v1/token/refresh', { refresh_token, app_id: shop.name });
    expectOk(await update(token, { avatar: (await png()).toString('base64') }));
    await app.client.post('/v1/user/password/reset/mail', { mail: account.mail, app_id: shop.name });
    await app.mailbox.waitFor(account.mail);
    await settle(account.mail);
    await app.dataSource.manager.insert(Mail, {
      userId: id,
      template: 'password-reset',
      language: 'en',
      recipient: account.mail,
      sealedContext: 'v1.sealed',
      state: 'failed',
      nextAttemptAt: 0,
      expiresAt: 4_000_000_000,
      createdAt: 0,
    });
    return { token, id };
  }

  /** Waits until what was sent is out of the outbox. */
  async function settle(recipient: string): Promise<void> {
    const deadline = performance.now() + 5000;
    while (await app.dataSource.manager.existsBy(Mail, { recipient })) {
      if (performance.now() > deadline) throw new Error('a mail stays in the outbox');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  it('leaves no trace of the account in any table, and no file', async () => {
    const before = { rows: await countRows(), files: storedAvatars() };
    const account = {
      mail: 'Vanishing.Ann@example.com',
      user_id: 'Vanishing-Handle',
      name: 'Vanishing Name',
    };
    const { token, id } = await signedInEverywhere(account);
    const texts = Object.values(account).map((text) => text.toLowerCase());
    expect(Object.keys(await findTraces({ id, texts })).sort()).toEqual(
      ['identities', 'known_devices', 'mails', 'sessions', 'user_roles', 'users'].sort(),
    );
    const avatar = await avatarOf(token);

    expectOk(await remove(token), {});

    expect(await findTraces({ id, texts })).toEqual({});
    expect(await countRows()).toEqual(before.rows);
    expect(storedAvatars()).toEqual(before.files);
    expect((await getRaw(pathOf(avatar))).status).toBe(404);
    expectOk(await app.client.get(`/v1/user/info/public?ids=${id}`), {});
    expectFailure(await app.client.get(`/v1/user/info/${account.user_id}/public`), 403, 2005);
  });

  it('ends all sessions at once', async () => {
    const { account, tokens, token } = await signedIn(app);
    const elsewhere = await login(app, account);
    const bystander = await signedIn(app);
    expectOk(await remove(token), {});
    for (const { access_token, refresh_token } of [tokens, elsewhere]) {
      expectFailure(await info(access_token), 403, 3009);
      expectFailure(await update(access_token, { name: 'Ghost' }), 403, 3009);
      const body = { refresh_token, app_id: 'pluto' };
      expectFailure(await app.client.post('/v1/token/refresh', body), 403, 3002);
    }
    expect((await info(bystander.token)).status).toBe(200);
    expectFailure(
      await app.client.post('/v1/user/login/account', { ...account, account: account.mail }),
      403,
      3001,
    );
  });

  it('frees mail and handle for an account with another id', async () => {
    const { account, token } = await signedIn(app);
    expectOk(await remove(token), {});
    const { length: kept } = await app.mailbox.to(account.mail);
    expectOk(await app.client.post('/v1/user/register', account));
    await app.client.submit(await app.mailbox.linkTo(account.mail, kept + 1));
    const again = await login(app, account);
    expect(idOf(again.access_token)).toBeGreaterThan(idOf(token));
    expectFailure(await info(token), 403, 3009);
  });

  it('leaves the same person’s account in another application', async () => {
    const { account, token } = await signedIn(app);
    const there = { ...account, app_id: shop.name };
    expectOk(await app.client.post('/v1/user/register', there));
    await app.client.submit(await app.mailbox.linkTo(account.mail));
    expectOk(await remove(token), {});
    await login(app, there);
  });

  it('refuses to do it twice with 3009', async () => {
    const { token } = await signedIn(app);
    expectOk(await remove(token), {});
    expectFailure(await remove(token), 403, 3009);
  });

  it('does it once when asked several times at once', async () => {
    const { token } = await signedIn(app);
    const answers = await Promise.all(Array.from({ length: 10 }, () => remove(token)));
    for (const { code } of answers) expect([0, 3009]).toContain(code);
    expect(answers.some(({ code }) => code === 0)).toBe(true);
    expect(await app.dataSource.manager.existsBy(User, { id: idOf(token) })).toBe(false);
  });

  it('refuses a request without a token with 1003', async () => {
    expectFailure(await app.client.post('/v1/user/delete'), 401, 1003);
  });

  it('refuses the last administrator with 1002 and changes nothing', async () => {
    const { access_token: token } = await login(app, ADMIN);
    const before = { rows: await countRows(), info: (await info(token)).json as unknown };
    expectFailure(await remove(token), 403, 1002);
    expect(await countRows()).toEqual(before.rows);
    expect((await info(token)).json).toEqual(before.info);
    await login(app, ADMIN);
  });

  it('keeps one of two administrators who leave at the same moment', async () => {
    const { manager } = app.dataSource;
    const second = await signedIn(app);
    const admin = await login(app, ADMIN);
    const { id: applicationId } = await manager.findOneByOrFail(Application, { name: 'pluto' });
    const { roleId } = await manager.findOneByOrFail(UserRole, {
      userId: idOf(admin.access_token),
      applicationId,
    });
    await manager.insert(UserRole, { userId: idOf(second.token), applicationId, roleId });

    const answers = await Promise.all([remove(second.token), remove(admin.access_token)]);
    expect(answers.map(({ code }) => code).sort()).toEqual([0, 1002]);
    expect(await manager.countBy(UserRole, { applicationId, roleId })).toBe(1);
  });
});
