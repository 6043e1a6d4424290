import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ServerProcess } from '../support/server-process.js';

/** Packages outside the bundle; nodemailer is bundled with the mailer. */
const NEEDED_LATER = ['ioredis', 'mysql2', 'nodemailer', 'pino-pretty', 'prom-client'];

describe('the start of a server on SQLite', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pluto-start-'));
  let server: ServerProcess;
  let read: Set<string | undefined>;

  beforeAll(async () => {
    server = await ServerProcess.start(folder, {
      DATA_DIR: folder,
      HOST: '127.0.0.1',
      PORT: '0',
      LOG_FORMAT: 'json',
      NODE_DEBUG: 'module',
    });
    await server.ready();
    const packages = /load ".*?\/node_modules\/((?:@[^/"]+\/)?[^/"]+)/g;
    read = new Set([...server.stderr.matchAll(packages)].map(([, name]) => name));
  }, 60_000);

  afterAll(async () => {
    await server.kill('SIGTERM');
    rmSync(folder, { recursive: true, force: true });
  });

  it('loads no package that only some installations, or later requests, need', () => {
    expect(read).toContain('libsql');
    expect(NEEDED_LATER.filter((name) => [...read].some((one) => one?.startsWith(name)))).toEqual([]);
  });

  it('loads no second copy of bundled packages', () => {
    const bundled = /^(@nestjs\/|@fastify\/|typeorm|class-|fastify|rxjs|reflect-metadata)/;
    expect([...read].filter((name) => bundled.test(name ?? ''))).toEqual([]);
  });

  it('loads no image library', () => {
    const mapped = readFileSync(`/proc/${server.pid}/maps`, 'utf8');
    expect(mapped).toContain('@libsql');
    expect(mapped).not.toContain('@img/sharp');
  });
});
