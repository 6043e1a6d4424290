import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ServerProcess } from '../support/server-process.js';

const NEEDED_LATER = [
  '@css-inline',
  '@nestjs-modules/mailer',
  'ioredis',
  'mysql2',
  'nodemailer',
  'pino-pretty',
  'prom-client',
];

describe('the start of a server on SQLite', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pluto-start-'));
  let server: ServerProcess;

  beforeAll(async () => {
    server = await ServerProcess.start(folder, {
      DATA_DIR: folder,
      HOST: '127.0.0.1',
      PORT: '0',
      LOG_FORMAT: 'json',
      NODE_DEBUG: 'module',
    });
    await server.ready();
  }, 60_000);

  afterAll(async () => {
    await server.kill('SIGTERM');
    rmSync(folder, { recursive: true, force: true });
  });

  it('reads no package that only some installations, or later requests, need', () => {
    const read = new Set(
      [...server.stderr.matchAll(/load ".*?\/node_modules\/((?:@[^/"]+\/)?[^/"]+)/g)].map(([, name]) => name),
    );
    expect(read).toContain('typeorm');
    expect(NEEDED_LATER.filter((name) => [...read].some((one) => one?.startsWith(name)))).toEqual([]);
  });

  it('maps no library for pictures', () => {
    const mapped = readFileSync(`/proc/${server.pid}/maps`, 'utf8');
    expect(mapped).toContain('@libsql');
    expect(mapped).not.toContain('@img/sharp');
  });
});
