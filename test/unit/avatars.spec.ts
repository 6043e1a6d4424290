import 'reflect-metadata';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import sharp, { type Sharp } from 'sharp';
import { Settings } from '../../src/config/settings.js';
import { dataSourceOptions } from '../../src/database/data-source-options.js';
import { PlutoDataSource } from '../../src/database/pluto-data-source.js';
import { Application } from '../../src/applications/application.entity.js';
import { normaliseAvatar } from '../../src/users/avatar-image.js';
import { parseAvatar } from '../../src/users/avatar-input.js';
import { avatarsFolder, AvatarsService, isAvatarFile } from '../../src/users/avatars.service.js';
import { User } from '../../src/users/user.entity.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

const invalidAvatar = expect.objectContaining({ key: 'invalidAvatar', code: 3006 });
const red = { r: 255, g: 0, b: 0 };
const blue = { r: 0, g: 0, b: 255 };

function plain(width: number, height: number, background = red): Sharp {
  return sharp({ create: { width, height, channels: 3, background } });
}

/** Noise does not compress, so that a part of it is no picture. */
function noise(width: number, height: number): Sharp {
  const pixels = Buffer.from(Array.from({ length: width * height * 3 }, (_, index) => (index * 7919) % 251));
  return sharp(pixels, { raw: { width, height, channels: 3 } });
}

async function halves(): Promise<Sharp> {
  const right = await plain(600, 600, blue).png().toBuffer();
  return plain(1200, 600).composite([{ input: right, left: 600, top: 0 }]);
}

async function pixel(image: Buffer, left: number, top: number): Promise<number[]> {
  return [...(await sharp(image).extract({ left, top, width: 1, height: 1 }).raw().toBuffer())];
}

/** A small PNG whose header claims another size, with a correct checksum. */
async function pngThatClaims(width: number, height: number): Promise<Buffer> {
  const png = await plain(1, 1).png().toBuffer();
  png.writeUInt32BE(width, 16);
  png.writeUInt32BE(height, 20);
  png.writeUInt32BE(crc32(png.subarray(12, 29)), 29);
  return png;
}

describe('An avatar image', () => {
  it('from a camera becomes a small upright JPEG without its location', async () => {
    const photo = await (
      await halves()
    )
      .withIccProfile('p3')
      .withXmp('<x:xmpmeta xmlns:x="adobe:ns:meta/">Ann</x:xmpmeta>')
      .withExif({ IFD0: { Make: 'Camera' }, IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '51/1 30/1 0/1' } })
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer();
    expect(await sharp(photo).metadata()).toMatchObject({
      orientation: 6,
      exif: expect.any(Buffer),
      icc: expect.any(Buffer),
      xmp: expect.any(Buffer),
    });

    const { bytes, extension } = await normaliseAvatar(photo);

    expect(extension).toBe('jpg');
    const metadata = await sharp(bytes).metadata();
    expect(metadata).toMatchObject({ format: 'jpeg', width: 256, height: 512 });
    expect(Object.keys(metadata)).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/^(exif|icc|xmp|iptc|orientation)$/)]),
    );
    expect(bytes.includes('Exif')).toBe(false);
    const [top = [], bottom = []] = [await pixel(bytes, 128, 50), await pixel(bytes, 128, 460)];
    expect(top[0]).toBeGreaterThan(200);
    expect(bottom[2]).toBeGreaterThan(200);
  });

  it('that is a PNG stays one and keeps its transparency', async () => {
    const glass = {
      create: { width: 800, height: 400, channels: 4, background: { ...red, alpha: 0.5 } },
    } as const;
    const { bytes, extension } = await normaliseAvatar(await sharp(glass).png().toBuffer());
    expect(extension).toBe('png');
    expect(await sharp(bytes).metadata()).toMatchObject({
      format: 'png',
      width: 512,
      height: 256,
      hasAlpha: true,
    });
    expect(await pixel(bytes, 10, 10)).toEqual([255, 0, 0, 128]);
  });

  it('that is small is not enlarged', async () => {
    const { bytes } = await normaliseAvatar(await plain(20, 10).png().toBuffer());
    expect(await sharp(bytes).metadata()).toMatchObject({ width: 20, height: 10 });
  });

  it('loses data appended after its end', async () => {
    const { bytes } = await normaliseAvatar(
      Buffer.concat([await plain(9, 9).jpeg().toBuffer(), Buffer.from('<script>')]),
    );
    expect(bytes.includes('<script>')).toBe(false);
  });

  it.each<[string, () => Buffer | Promise<Buffer>]>([
    ['a GIF', () => plain(9, 9).gif().toBuffer()],
    ['a WebP', () => plain(9, 9).webp().toBuffer()],
    ['a TIFF', () => plain(9, 9).tiff().toBuffer()],
    ['an AVIF', () => plain(9, 9).avif().toBuffer()],
    ['an SVG', () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')],
    ['a BMP', () => Buffer.from(`BM${'\0'.repeat(60)}`)],
    ['a text', () => Buffer.from('hello')],
    ['nothing', () => Buffer.alloc(0)],
    ['a JPEG signature alone', () => Buffer.from([0xff, 0xd8, 0xff])],
    ['a PNG signature before a text', async () => prefix(await plain(9, 9).png().toBuffer(), 8, 'hello')],
    ['an SVG behind a PNG signature', async () => prefix(await plain(9, 9).png().toBuffer(), 8, '<svg/>')],
    ['half a JPEG', async () => half(await noise(600, 600).jpeg().toBuffer())],
    [
      'half a progressive JPEG',
      async () => half(await noise(600, 600).jpeg({ progressive: true }).toBuffer()),
    ],
    ['half a PNG', async () => half(await noise(600, 600).png().toBuffer())],
    ['a PNG that claims 50000×50000', () => pngThatClaims(50_000, 50_000)],
    ['a PNG that claims 40 million pixels and a row', () => pngThatClaims(8000, 5001)],
    ['a PNG that claims more than it has', () => pngThatClaims(500, 500)],
  ])('is not %s', async (_, make) => {
    await expect(normaliseAvatar(await make())).rejects.toEqual(invalidAvatar);
  });

  it.each([
    [50_000, 50_000],
    [8000, 5001],
    [10_001, 1],
    [1, 10_001],
  ])('is refused as too large before it is decoded: %d × %d', async (width, height) => {
    const refusal = { message: expect.stringContaining(`too large (${width} × ${height})`) };
    await expect(normaliseAvatar(await pngThatClaims(width, height))).rejects.toMatchObject(refusal);
  });

  it('is read by the decoders of JPEG and PNG only', async () => {
    const webp = await plain(9, 9).webp().toBuffer();
    await expect(sharp(webp).metadata()).rejects.toThrow('unsupported image format');
  });

  it('is refused with 503 when too many wait', async () => {
    const png = await noise(700, 700).png().toBuffer();
    const outcomes = await Promise.allSettled(Array.from({ length: 30 }, () => normaliseAvatar(png)));
    const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    expect(refused).toHaveLength(13);
    expect(new Set(refused.map(({ key }) => key))).toEqual(new Set(['serviceUnavailable']));
    expect(refused[0].retryAfterSeconds).toBeGreaterThan(0);
    await expect(normaliseAvatar(png)).resolves.toMatchObject({ extension: 'png' });
  });
});

function prefix(bytes: Buffer, length: number, text: string): Buffer {
  return Buffer.concat([bytes.subarray(0, length), Buffer.from(text)]);
}

function half(bytes: Buffer): Buffer {
  return bytes.subarray(0, bytes.length / 2);
}

describe('The field avatar', () => {
  const bytes = Buffer.from(Array.from({ length: 200 }, (_, index) => index));
  const base64 = bytes.toString('base64');
  const wrapped = base64.replace(/.{64}/g, '$&\r\n');

  it('is removed when empty', () => {
    expect(parseAvatar('')).toEqual({ kind: 'none' });
  });

  it.each([
    'https://example.com/ann.png',
    'HTTP://example.com',
    'http://[::1]:8080/a?b=c@d#e',
    'https://例え.example/アン.png',
    `https://example.com/${'a'.repeat(2028)}`,
  ])('takes the URL %s as it is', (url) => {
    expect(parseAvatar(url)).toEqual({ kind: 'url', url });
  });

  it.each([
    'javascript:alert(1)',
    'ftp://example.com/ann.png',
    'file:///etc/passwd',
    'data:text/html;base64,PGI+',
    'data:image/svg+xml;base64,PHN2Zy8+',
    'data:image/png,abc',
    '//example.com/ann.png',
    'http:example.com',
    'http://',
    'https:///ann.png',
    'https://ann@example.com/',
    'https://ann:secret@example.com/',
    'https://@example.com/',
    'https:\\\\example.com',
    'https://example.com\\@evil.example/',
    'https://exa mple.com/',
    'https://example.com/a b.png',
    'https://example.com/\n',
    ' https://example.com/',
    'https://example.com/\u0000',
    'https://example.com/\u202egnp.exe',
    'https://example.com/\ud800',
    'https://example.com/"onerror="alert(1)',
    'https://example.com:99999/',
    `https://example.com/${'a'.repeat(2029)}`,
  ])('refuses %j', (text) => {
    expect(() => parseAvatar(text)).toThrow(invalidAvatar);
  });

  it.each([
    ['bare', base64],
    ['in lines, as MIME and Foundation wrap it', wrapped],
    ['in lines that end with a newline', `${wrapped.replaceAll('\r', '')}\n`],
    ['behind data:image/png', `data:image/png;base64,${base64}`],
    ['behind data:image/jpeg', `data:image/jpeg;base64,${wrapped}`],
    ['behind data:image/jpg', `data:image/jpg;base64,${base64}`],
    ['behind DATA:IMAGE/PNG', `DATA:IMAGE/PNG;BASE64,${base64}`],
    ['behind a media type with parameters', `data:image/png;name=ann.png;charset=utf-8;base64,${base64}`],
    ['percent-encoded', `data:image/png;base64,${encodeURIComponent(base64)}`],
  ])('takes base64 %s', (_, text) => {
    expect(parseAvatar(text)).toEqual({ kind: 'image', bytes });
  });

  it.each([
    ['a text', 'hello there!'],
    ['white space', ' \n'],
    ['a data: prefix alone', 'data:image/png;base64,'],
    ['two data: prefixes', `data:image/png;base64,data:image/png;base64,${base64}`],
    ['blanks for plus signs', base64.replaceAll('+', ' ')],
    ['a blank within', `${base64.slice(0, 8)} ${base64.slice(8)}`],
    ['a malformed percent sign', `data:image/png;base64,%zz${base64}`],
    ['junk within', `${base64.slice(0, 8)}*${base64.slice(8)}`],
    ['junk behind', `${base64}<svg/>`],
    ['padding within', `QQ==${base64}`],
    ['too much padding', `${base64}=`],
    ['too little padding', base64.replace(/=+$/, '')],
    ['stray bits', 'QR=='],
    ['base64url', '-_-_'],
    ['a vertical tab within', `${base64.slice(0, 8)}\v${base64.slice(8)}`],
  ])('refuses %s as base64', (_, text) => {
    expect(() => parseAvatar(text)).toThrow(invalidAvatar);
  });
});

describe('AvatarsService', () => {
  let directory: string;
  let folder: string;
  let database: TestDatabase;
  let dataSource: PlutoDataSource;
  let avatars: AvatarsService;
  let png: Buffer;

  beforeAll(async () => {
    database = await createTestDatabase();
    dataSource = new PlutoDataSource(dataSourceOptions(database.database, [User, Application], []));
    await dataSource.initialize();
    await dataSource.synchronize();
    png = await plain(9, 9).png().toBuffer();
  });

  afterAll(async () => {
    await dataSource.destroy();
    await database.drop();
  });

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'pluto-avatars-'));
    const settings = Settings.load({
      DATA_DIR: join(directory, 'data'),
      PUBLIC_URL: 'https://id.example.com/pluto/',
    });
    folder = avatarsFolder(settings);
    avatars = new AvatarsService(settings, dataSource);
  });

  afterEach(() => rmSync(directory, { recursive: true }));

  function write(name: string, ageMinutes: number): string {
    mkdirSync(folder, { recursive: true });
    const time = Date.now() / 1000 - ageMinutes * 60;
    writeFileSync(join(folder, name), '');
    utimesSync(join(folder, name), time, time);
    return name;
  }

  async function createOwner(avatarFile: string): Promise<void> {
    const { manager } = dataSource;
    const name = `app-${avatarFile}`;
    const { id } = await manager.save(Application, { name, nameKey: name, createdAt: 0 });
    await manager.save(User, {
      applicationId: id,
      handle: 'ann',
      handleKey: 'ann',
      name: 'Ann',
      nameKey: 'ann',
      avatarFile,
      passwordHash: null,
      createdAt: 0,
      updatedAt: 0,
    });
  }

  const nameOf = (digits: string, extension = 'png') => `${digits.repeat(32).slice(0, 32)}.${extension}`;

  it('stores a picture under a random name, for the owner of the process only', async () => {
    const file = await avatars.store(png);
    expect(file).toMatch(/^[0-9a-f]{32}\.png$/);
    expect(isAvatarFile(file)).toBe(true);
    expect(readdirSync(folder)).toEqual([file]);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600);
    expect(await sharp(readFileSync(join(folder, file))).metadata()).toMatchObject({ width: 9 });
    expect(await avatars.store(png)).not.toBe(file);
  });

  it('stores nothing that is not a picture', async () => {
    await expect(avatars.store(Buffer.from('hello'))).rejects.toEqual(invalidAvatar);
    expect(() => readdirSync(folder)).toThrow('ENOENT');
  });

  it('deletes a picture, also one that is already deleted', async () => {
    const file = await avatars.store(png);
    await avatars.discard(file);
    await avatars.discard(file);
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each(['', '.', '../secret.key', `../avatars/${nameOf('a')}`, `${nameOf('a')}.tmp`, `${nameOf('a')}\n`])(
    'refuses to discard %j',
    async (name) => {
      writeFileSync(join(directory, 'secret.key'), '');
      await expect(avatars.discard(name)).rejects.toThrow('not the name of a stored avatar');
    },
  );

  it('sweeps old files that no account names, and nothing else', async () => {
    const used = [write(nameOf('1'), 600), write(nameOf('2', 'jpg'), 600)];
    for (const file of used) await createOwner(file);
    const young = [write(nameOf('3'), 59), write(`${nameOf('4')}.tmp`, 59)];
    const foreign = [write('README', 600), write(`${nameOf('5')}.bak`, 600)];
    write(nameOf('6'), 61);
    write(nameOf('7', 'jpg'), 600);
    write(`${nameOf('8')}.tmp`, 61);

    expect(await avatars.sweep()).toBe(3);

    expect(readdirSync(folder).sort()).toEqual([...used, ...young, ...foreign].sort());
    expect(await avatars.sweep()).toBe(0);
  });

  it('sweeps more files than one query takes', async () => {
    const names = Array.from({ length: 1203 }, (_, index) =>
      write(`${index.toString(16).padStart(32, '0')}.png`, 61),
    );
    const used = [names[0]!, names[700]!, names[1202]!];
    for (const file of used) await createOwner(file);
    expect(await avatars.sweep()).toBe(1200);
    expect(readdirSync(folder).sort()).toEqual(used);
  });

  it('sweeps nothing where nothing was stored', async () => {
    expect(await avatars.sweep()).toBe(0);
  });

  it('gives the URL of its own picture, of one elsewhere, or none', () => {
    const avatarUrl = 'https://example.com/ann.png';
    expect(avatars.urlOf({ avatarUrl: '', avatarFile: nameOf('a') })).toBe(
      `https://id.example.com/pluto/avatars/${nameOf('a')}`,
    );
    expect(avatars.urlOf({ avatarUrl, avatarFile: null })).toBe(avatarUrl);
    expect(avatars.urlOf({ avatarUrl: '', avatarFile: null })).toBe('');
  });
});
