import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { addAccount, signedIn } from '../support/accounts.js';
import { expectFailure, expectOk } from '../support/expectations.js';
import {
  app,
  avatarFolder,
  avatarOf,
  getRaw,
  info,
  pathOf,
  plain,
  png,
  PUBLIC_URL,
  storedAvatars,
  update,
  useProfiles,
} from '../support/profiles.js';

useProfiles();

const KIB = 1024;
const jpeg = () => plain().jpeg().toBuffer();

/** A picture that does not compress, of about three bytes a pixel. */
async function bigPng(width: number): Promise<Buffer> {
  const pixels = Buffer.from(Uint8Array.from({ length: width * width * 3 }, (_, i) => (i * i * 7919) >> 7));
  const raw = { width, height: width, channels: 3 as const };
  return sharp(pixels, { raw }).png({ compressionLevel: 0 }).toBuffer();
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

  it('leaves one file when several pictures are sent concurrently', async () => {
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
