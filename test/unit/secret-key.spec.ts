import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect, promisify } from 'node:util';
import { Test } from '@nestjs/testing';
import { packageDirectory } from '../../src/common/package-directory.js';
import { ConfigModule } from '../../src/config/config.module.js';
import { resolveSecretKey, SecretKey } from '../../src/config/secret-key.js';
import { InvalidSettings, Settings } from '../../src/config/settings.js';
import { directory, file, key, useSettingsFolder } from '../support/settings-files.js';

useSettingsFolder();

describe('resolveSecretKey', () => {
  it('prefers SECRET_KEY and makes no file', () => {
    expect(resolveSecretKey({ secretKey: key, dataDir: directory })).toBe(key);
    expect(readdirSync(directory)).toEqual([]);
  });

  it('generates a key of 256 bits that only the owner can read, and keeps it', () => {
    const dataDir = join(directory, 'data');
    const generated = resolveSecretKey({ secretKey: undefined, dataDir });
    expect(Buffer.from(generated, 'base64url')).toHaveLength(32);
    expect(statSync(dataDir).mode & 0o777).toBe(0o700);
    expect(statSync(join(dataDir, 'secret.key')).mode & 0o777).toBe(0o600);
    expect(resolveSecretKey({ secretKey: undefined, dataDir })).toBe(generated);
    expect(readdirSync(dataDir)).toEqual(['secret.key']);
  });

  it.each(['', 'tooshort', 'x'.repeat(42), `${'x'.repeat(42)}!`])(
    'refuses a file with "%s" and keeps it',
    (content) => {
      const path = file('secret.key', content);
      expect(() => resolveSecretKey({ secretKey: undefined, dataDir: directory })).toThrow(path);
      expect(() => resolveSecretKey({ secretKey: undefined, dataDir: directory })).toThrow(InvalidSettings);
      expect(readFileSync(path, 'utf8')).toBe(content);
    },
  );

  it('gives the same key to processes that start concurrently', async () => {
    const script = writeRacer();
    const dataDir = join(directory, 'data');
    const startAt = String(Date.now() + 1500);
    const run = promisify(execFile);
    const racers = Array.from({ length: 12 }, () => run(process.execPath, [script, dataDir, startAt]));
    const keys = new Set((await Promise.all(racers)).map(({ stdout }) => stdout));
    expect([...keys]).toEqual([readFileSync(join(dataDir, 'secret.key'), 'utf8')]);
    expect(readdirSync(dataDir)).toEqual(['secret.key']);
  });
});

describe('SecretKey', () => {
  const secretKey = new SecretKey(key);

  it('derives one key of 32 bytes per purpose', () => {
    expect(secretKey.derive('cookies')).toHaveLength(32);
    expect(secretKey.derive('cookies')).toEqual(new SecretKey(key).derive('cookies'));
    expect(secretKey.derive('cookies')).not.toEqual(secretKey.derive('state'));
    expect(secretKey.derive('cookies')).not.toEqual(new SecretKey(`${key}2`).derive('cookies'));
  });

  it('cannot be printed', () => {
    const printed = [JSON.stringify(secretKey), inspect(secretKey, { showHidden: true })];
    expect(printed.join('\n')).not.toContain(key);
  });
});

describe('ConfigModule', () => {
  it('provides the settings and the key made from them', async () => {
    const settings = Settings.load({ SECRET_KEY: key });
    const app = await Test.createTestingModule({ imports: [ConfigModule.forRoot(settings)] }).compile();
    expect(app.get(Settings)).toBe(settings);
    expect(app.get(SecretKey).derive('cookies')).toEqual(new SecretKey(key).derive('cookies'));
    await app.close();
  });
});

/** The script of a process that resolves the key at a given time. */
function writeRacer(): string {
  const script = join(directory, 'racer.mjs');
  writeFileSync(
    script,
    `import { resolveSecretKey } from '${join(packageDirectory, 'dist/src/config/secret-key.js')}';
     const [dataDir, startAt] = process.argv.slice(2);
     while (Date.now() < Number(startAt));
     process.stdout.write(resolveSecretKey({ dataDir }));`,
  );
  return script;
}
