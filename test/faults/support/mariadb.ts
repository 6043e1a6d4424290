import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createConnection } from 'mysql2/promise';
import { packageDirectory } from '../../../src/common/package-directory.js';
import { eventually } from '../../support/eventually.js';
import { isRunning } from '../../support/server-process.js';

const script = join(packageDirectory, 'test/support/mariadb.sh');

/** A separate MariaDB, to be stopped, killed and frozen. */
export class Mariadb {
  private readonly directory = mkdtempSync(join(tmpdir(), 'pluto-mariadb-'));
  private pid = 0;
  private address = '';

  private constructor(private readonly parameters: string[]) {}

  /** @param parameters further arguments of mariadbd, without spaces */
  static async start(...parameters: string[]): Promise<Mariadb> {
    const server = new Mariadb(parameters);
    await server.run('start');
    return server;
  }

  /** The value for DATABASE_URL. */
  urlOf(database: string, query = '', host = '127.0.0.1'): string {
    return new URL(database, this.address).href.replace('@127.0.0.1:', `@${host}:`) + query;
  }

  async query<Row>(sql: string): Promise<Row[]> {
    const connection = await createConnection(this.address);
    try {
      const [rows] = await connection.query(sql);
      return rows as Row[];
    } finally {
      await connection.end();
    }
  }

  /** Ends it as an operator does. Clients see their connections closed. */
  async stop(): Promise<void> {
    process.kill(this.pid, 'SIGTERM');
    await this.gone();
  }

  async kill(): Promise<void> {
    process.kill(this.pid, 'SIGKILL');
    await this.gone();
  }

  /** Connections stay open and new ones are made by the kernel, but nothing answers. */
  freeze(): void {
    process.kill(this.pid, 'SIGSTOP');
  }

  thaw(): void {
    process.kill(this.pid, 'SIGCONT');
  }

  /** Starts it again at the same address. @returns when it accepts connections */
  restart(): Promise<void> {
    return this.run('restart');
  }

  async remove(): Promise<void> {
    if (isRunning(this.pid)) await this.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }

  private async run(command: 'start' | 'restart'): Promise<void> {
    const { stdout } = await promisify(execFile)('sh', [script, command, this.directory], {
      env: { ...process.env, MARIADB_ARGUMENTS: this.parameters.join(' ') },
    });
    this.address = stdout.trim();
    this.pid = Number(readFileSync(join(this.directory, 'mariadbd.pid'), 'utf8'));
  }

  private async gone(): Promise<void> {
    await eventually(() => !isRunning(this.pid), 'the end of MariaDB', 30_000);
  }
}
