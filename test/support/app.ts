import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DataSource } from 'typeorm';
import { LinkRequestsWorker } from '../../src/auth/links/link-requests.worker.js';
import { FirstStartService } from '../../src/auth/first-start.service.js';
import { createLog } from '../../src/common/logging.js';
import { Settings } from '../../src/config/settings.js';
import { PasswordHashParameters } from '../../src/auth/password/password-hash-parameters.js';
import { createApp } from '../../src/server/configure-app.js';
import { MailWorker } from '../../src/mail/mail.worker.js';
import { createTestDatabase } from './database.js';
import { Client } from './client.js';
import { Mailbox } from './mailbox.js';
import { LIGHT_HASHES, useFixedSigningKey } from './quick-start.js';

export const ADMIN = { mail: 'admin@pluto.test', password: 'admin password' };

export interface TestApp {
  app: NestFastifyApplication;
  /** `http://127.0.0.1:<port>` */
  url: string;
  client: Client;
  dataSource: DataSource;
  dataDir: string;
  settings: Settings;
  mailbox: Mailbox;
  /** Everything logged so far, as text. */
  log: () => string;
  /** Stops the server and leaves its database, to start another on it. */
  stop: () => Promise<void>;
  /** Stops the server and deletes its data. */
  close: () => Promise<void>;
}

export interface TestAppOptions {
  env?: Record<string, string>;
  /** The data of an earlier server, to continue with. */
  on?: Pick<TestApp, 'dataDir' | 'settings'> & { close: () => Promise<void> };
  /** Whether queued mails are sent; true. */
  sendMails?: boolean;
  /** Light ones, unless hashing is what the test is about. */
  passwordHashParameters?: PasswordHashParameters;
}

/**
 * Starts the real application on its own real database (SQLite, or MariaDB if TEST_DATABASE_URL is set) and a
 * free port. Mails go to files that `mailbox` reads, unless `env` names an SMTP_URL.
 */
export async function startTestApp({
  env = {},
  on,
  sendMails = true,
  passwordHashParameters = LIGHT_HASHES,
}: TestAppOptions = {}): Promise<TestApp> {
  const dataDir = on?.dataDir ?? mkdtempSync(join(tmpdir(), 'pluto-test-'));
  const database = on ? null : await createTestDatabase();
  const discard = async () => {
    if (on) return on.close();
    await database!.drop();
    rmSync(dataDir, { recursive: true, force: true });
  };
  try {
    const settings = testSettings(dataDir, env, on?.settings.database ?? database!.database);
    return await listen(settings, { sendMails, isFirstStart: !on, passwordHashParameters }, discard);
  } catch (error) {
    await discard();
    throw error;
  }
}

async function listen(
  settings: Settings,
  {
    sendMails,
    isFirstStart,
    passwordHashParameters,
  }: { sendMails: boolean; isFirstStart: boolean; passwordHashParameters: PasswordHashParameters },
  discard: () => Promise<void>,
): Promise<TestApp> {
  let log = '';
  const sink = new Writable({ write: (chunk, _encoding, done) => ((log += String(chunk)), done()) });
  const app = await createApp(settings, createLog('info', 'json', sink));
  Object.assign(app.get(PasswordHashParameters), passwordHashParameters);
  const worker = app.get(MailWorker);
  const linkRequests = app.get(LinkRequestsWorker);
  let isStopped = false;
  const stop = async () => {
    if (isStopped) return;
    isStopped = true;
    await linkRequests.stop();
    await worker.stop();
    await app.close();
  };
  const close = async () => {
    await stop();
    await discard();
  };
  try {
    if (isFirstStart) await useFixedSigningKey(app);
    await app.get(FirstStartService).prepare();
    await app.listen(0, '127.0.0.1');
  } catch (error) {
    await stop();
    throw error;
  }
  linkRequests.start();
  if (sendMails) worker.start();
  const url = (await app.getUrl()).replace('[::1]', '127.0.0.1');
  return {
    app,
    url,
    client: new Client(url),
    dataSource: app.get(DataSource),
    dataDir: settings.dataDir,
    settings,
    mailbox: new Mailbox(join(settings.dataDir, 'outbox')),
    log: () => log,
    stop,
    close,
  };
}

function testSettings(
  dataDir: string,
  env: Record<string, string>,
  database: Settings['database'],
): Settings {
  const settings = Settings.load({
    DATA_DIR: dataDir,
    PUBLIC_URL: 'http://pluto.test',
    SECRET_KEY: 'a secret key of the tests, long enough',
    RATE_LIMIT: 'false',
    ADMIN_MAIL: ADMIN.mail,
    ADMIN_PASSWORD: ADMIN.password,
    MAIL_FROM: 'accounts@pluto.test',
    ...env,
  });
  return Object.assign(settings, { database });
}
