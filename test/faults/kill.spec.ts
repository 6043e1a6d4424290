import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { dataSourceOptions, type DatabaseSettings } from '../../src/database/data-source-options.js';
import { PlutoDataSource } from '../../src/database/pluto-data-source.js';
import { registration, type TestAccount } from '../support/accounts.js';
import { builtServer } from '../support/built.js';
import type { Client } from '../support/client.js';
import { createTestDatabase, onDisk, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { linkIn } from '../support/mailbox.js';
import { freePort, ServerProcess } from '../support/server-process.js';
import { SmtpServer } from '../support/smtp.js';
import { PrivateMariadb } from './support/private-mariadb.js';
import { repetitions } from './support/repetitions.js';

const ROUNDS = repetitions({ long: 10, short: 3 });
/** How many people want to register in each round. */
const PER_ROUND = repetitions({ long: 1000, short: 200 });
const LANES = 24;
const LIMIT_MS = 20 * 60_000;

let mariadb: PrivateMariadb;
beforeAll(async () => {
  await builtServer();
  mariadb = await PrivateMariadb.start();
}, 180_000);
afterAll(() => mariadb.stop());

describe.each([
  ['SQLite', false],
  ['MariaDB', true],
])('a server on %s that is killed in the middle of registrations', (name, isMariadb) => {
  let folder: string;
  let database: TestDatabase;
  let smtp: SmtpServer;
  beforeAll(async () => {
    mariadb.use(isMariadb);
    folder = mkdtempSync(join(onDisk(), 'pluto-kill-'));
    database = await createTestDatabase('', onDisk());
    smtp = await SmtpServer.start();
  });
  afterAll(async () => {
    await ServerProcess.killAll();
    await smtp.close();
    await database.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function start() {
    const { database: place } = database;
    const server = await ServerProcess.start(folder, {
      PORT: await freePort(),
      DATABASE_URL: place.kind === 'sqlite' ? `sqlite:${place.path}` : place.url,
      SECRET_KEY: 'a secret key for the processes of the tests',
      SMTP_URL: smtp.url,
      MAIL_FROM: 'accounts@pluto.test',
      RATE_LIMIT: 'false',
      LOG_LEVEL: 'warn',
    });
    return { server, client: await server.ready() };
  }

  it(
    `has kept whatever it acknowledged, whole and with its mail, ${ROUNDS} times`,
    async () => {
      const acknowledged: TestAccount[] = [];
      let attempts = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const { server, client } = await start();
        const burst = new Burst(client);
        // Early, late and in between.
        const moment = Math.ceil(((round + 1) / (ROUNDS + 1)) * (PER_ROUND - LANES));
        await eventually(() => burst.acknowledged.length >= moment, `${moment} registrations`, 240_000);
        await sleep((7 * round) % 30);
        expect(await server.kill('SIGKILL')).toEqual({ code: null, signal: 'SIGKILL' });
        await burst.ended;
        expect(burst.wrong).toEqual([]);
        acknowledged.push(...burst.acknowledged);
        attempts += burst.attempts;
      }

      await inDatabase(database.database, async (dataSource) => {
        // An interrupted delivery is retried after its claim has expired: make that now.
        await dataSource.query('UPDATE mails SET claimed_until = 1 WHERE claimed_until IS NOT NULL');
        // Several where one is not all, since each mail waits for the greeting of the tests' mail server.
        const instances = await Promise.all(Array.from({ length: isMariadb ? 4 : 1 }, start));
        await eventually(async () => (await count(dataSource, 'mails')) === 0, 'the mails to go', 240_000);
        await expectWhole(dataSource, acknowledged, instances[0]!.client);
        for (const { server } of instances)
          expect(await server.kill('SIGTERM')).toEqual({ code: 0, signal: null });
        const kept = (await count(dataSource, 'users')) - 1;
        expect(kept).toBeGreaterThanOrEqual(acknowledged.length);
        expect(kept).toBeLessThanOrEqual(attempts);
        process.stdout.write(
          `kill -9 on ${name}: ${ROUNDS} rounds, ${attempts} registrations sent, ${acknowledged.length} acknowledged, ` +
            `${kept} kept, ${smtp.mails.length} mails received\n`,
        );
      });
    },
    LIMIT_MS,
  );

  /** Asserts that every account is complete, and no acknowledged one is missing. */
  async function expectWhole(
    dataSource: PlutoDataSource,
    acknowledged: TestAccount[],
    client: Client,
  ): Promise<void> {
    const people = "FROM users WHERE handle <> 'admin'";
    const withoutOne = async (table: string, key: string) => {
      const sql = `SELECT COUNT(*) AS n ${people} AND (SELECT COUNT(*) FROM ${table} WHERE ${key}) <> 1`;
      return Number((await dataSource.query<{ n: number }[]>(sql))[0]!.n);
    };
    expect(await withoutOne('identities', 'identities.user_id = users.id')).toBe(0);
    const tokens = 'one_time_tokens JOIN identities ON one_time_tokens.identity_id = identities.id';
    expect(await withoutOne(tokens, 'identities.user_id = users.id')).toBe(0);

    const rows = await dataSource.query<{ mail: string }[]>(
      "SELECT mail FROM identities WHERE mail <> 'admin@localhost'",
    );
    const kept = new Set(rows.map(({ mail }) => mail));
    expect(acknowledged.filter(({ mail }) => !kept.has(mail))).toEqual([]);
    const mailed = new Set(smtp.mails.flatMap(({ recipients }) => recipients));
    expect([...kept].filter((mail) => !mailed.has(mail))).toEqual([]);
    expect([...mailed].filter((mail) => !kept.has(mail))).toEqual([]);

    for (const account of [acknowledged[0]!, acknowledged.at(-1)!]) {
      const { mail, password } = account;
      const logIn = () => client.post('/v1/user/login/account', { account: mail, password, app_id: 'pluto' });
      expect((await logIn()).code).toBe(2003);
      expect((await client.submit(linkIn(smtp.to(mail).at(-1)!))).status).toBe(200);
      expect((await logIn()).status).toBe(200);
    }
  }
});

/** Registers people concurrently, until all are registered or the server is dead. */
class Burst {
  attempts = 0;
  readonly acknowledged: TestAccount[] = [];
  readonly wrong: string[] = [];
  readonly ended: Promise<unknown>;

  constructor(private readonly client: Client) {
    this.ended = Promise.all(Array.from({ length: LANES }, () => this.run()));
  }

  private async run(): Promise<void> {
    while (this.attempts < PER_ROUND) {
      this.attempts++;
      const account = registration();
      const answer = await this.client.post('/v1/user/register', account).catch(() => null);
      if (!answer) return;
      if (answer.status === 200) this.acknowledged.push(account);
      else this.wrong.push(answer.text);
    }
  }
}

async function count(dataSource: PlutoDataSource, table: string): Promise<number> {
  const [row] = await dataSource.query<{ n: number }[]>(`SELECT COUNT(*) AS n FROM ${table}`);
  return Number(row!.n);
}

async function inDatabase(
  database: DatabaseSettings,
  work: (dataSource: PlutoDataSource) => Promise<void>,
): Promise<void> {
  const dataSource = new PlutoDataSource(dataSourceOptions(database, [], []));
  await dataSource.initialize();
  try {
    await work(dataSource);
  } finally {
    await dataSource.destroy();
  }
}
