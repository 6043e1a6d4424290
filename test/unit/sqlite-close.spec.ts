import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dataSourceOptions } from '../../src/database/data-source-options.js';
import { PlutoDataSource } from '../../src/database/pluto-data-source.js';
import { Transactions } from '../../src/database/transactions.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pluto-close-'));
  path = join(folder, 'pluto.db');
});
afterEach(() => rmSync(folder, { recursive: true }));

const open = () => new PlutoDataSource(dataSourceOptions({ kind: 'sqlite', path }, [], [])).initialize();
const logBytes = () => statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
const countIn = async (source: PlutoDataSource) =>
  (await source.read<{ n: number }>('SELECT COUNT(*) AS n FROM notes', []))[0]!.n;

async function write(source: PlutoDataSource): Promise<void> {
  await source.query('CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY)');
  await new Transactions(source).run((manager) => manager.query('INSERT INTO notes DEFAULT VALUES'));
}

describe('closing a data source on SQLite', () => {
  it('leaves nothing in the log, right after a write and a read', async () => {
    const source = await open();
    await write(source);
    expect(await countIn(source)).toBe(1);
    expect(logBytes()).toBeGreaterThan(0);
    await source.destroy();
    expect(logBytes()).toBe(0);
  });

  it('leaves the log to another that has the file open, which loses nothing', async () => {
    const [one, other] = [await open(), await open()];
    await write(one);
    expect(await countIn(other)).toBe(1);
    await one.destroy();
    await write(other);
    expect(await countIn(other)).toBe(2);
    await other.destroy();
    expect(logBytes()).toBe(0);
    const again = await open();
    expect(await countIn(again)).toBe(2);
    await again.destroy();
  });

  it('does not wait for a transaction that never ends', async () => {
    const source = await open();
    await write(source);
    const runner = source.createQueryRunner();
    await runner.startTransaction();
    await source.destroy();
    const again = await open();
    expect(await countIn(again)).toBe(1);
    await again.destroy();
  });
});
