import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseMysqlUrl } from '../../src/config/database-url.js';
import { InvalidSettings, Settings } from '../../src/config/settings.js';
import { dataSourceOptions } from '../../src/database/data-source-options.js';

const BASE = 'mysql://pluto:hunter2@db/pluto';
const SECRET_KEY = 'a secret key of the tests, long enough';

let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'pluto-url-'))));
afterAll(() => rmSync(folder, { recursive: true }));

function faultsOf(DATABASE_URL: string): string[] {
  try {
    Settings.load({ DATABASE_URL, SECRET_KEY });
    return [];
  } catch (error) {
    if (!(error instanceof InvalidSettings)) throw error;
    return error.message.split('\n').filter((line) => line.includes('DATABASE_URL'));
  }
}

describe('the query of DATABASE_URL', () => {
  it('is optional', () => {
    expect(parseMysqlUrl(BASE)).toMatchObject({
      dialect: 'mysql',
      host: 'db',
      port: 3306,
      pool: 10,
      connectTimeoutMs: 1000,
      acquireTimeoutMs: 2000,
      queryTimeoutMs: 2500,
      trust: null,
    });
  });

  it('sets the pool, the timeouts and TLS', () => {
    const url = `${BASE}?pool=20&connect_timeout=1500&acquire_timeout=900&query_timeout=4000&tls=true`;
    expect(faultsOf(url)).toEqual([]);
    expect(parseMysqlUrl(url)).toMatchObject({
      database: 'pluto',
      pool: 20,
      connectTimeoutMs: 1500,
      acquireTimeoutMs: 900,
      queryTimeoutMs: 4000,
      trust: 'system',
    });
    expect(dataSourceOptions({ kind: 'mysql', url }, [], [])).toMatchObject({
      poolSize: 20,
      connectTimeout: 1500,
      ssl: { rejectUnauthorized: true, verifyIdentity: true },
    });
  });

  it.each([
    ['pools=20', 'has an unknown parameter: pools'],
    ['ssl=true', 'has an unknown parameter: ssl'],
    ['pool=0', 'has a parameter pool'],
    ['pool=1e3', 'has a parameter pool'],
    ['pool=', 'has a parameter pool'],
    ['pool=5&pool=6', 'has the parameter pool twice'],
    ['connect_timeout=2s', 'has a parameter connect_timeout'],
    ['acquire_timeout=-1', 'has a parameter acquire_timeout'],
    ['query_timeout=1000', 'has a parameter query_timeout'],
    ['tls=insecure', 'has a parameter tls that is neither'],
    ['tls=false&tls_ca=/etc/ca.pem', 'has the parameter tls_ca together'],
    ['tls_ca=/nowhere/ca.pem', 'has a parameter tls_ca that names a file that cannot be read (ENOENT)'],
  ])('is refused with ?%s, in one line', (query, fault) => {
    const faults = faultsOf(`${BASE}?${query}`);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(`DATABASE_URL ${fault}`);
    expect(faults[0]).not.toContain('hunter2');
  });

  it('shows nothing of a password that was not escaped', () => {
    for (const url of ['mysql://u:1/x?hunter2@db/pluto', 'mysql://u:hunter2?x@db/pluto']) {
      expect(faultsOf(url)).toHaveLength(1);
      expect(faultsOf(url)[0]).not.toContain('hunter2');
    }
  });

  it('refuses invalid authorities, and TLS with an IP address, whose certificate would not be compared', () => {
    const file = join(folder, 'ca.pem');
    writeFileSync(file, 'no certificate');
    expect(faultsOf(`${BASE}?tls_ca=${file}`)[0]).toContain('without a PEM certificate');
    writeFileSync(file, '-----BEGIN CERTIFICATE-----\nbroken\n-----END CERTIFICATE-----\n');
    expect(faultsOf(`${BASE}?tls_ca=${file}`)[0]).toContain('without a PEM certificate');
    for (const host of ['127.0.0.1', '[::1]'])
      expect(faultsOf(`mysql://pluto:hunter2@${host}/pluto?tls=true`)[0]).toContain('requires a host name');
  });

  it('is refused for SQLite', () => {
    expect(faultsOf('sqlite:pluto.db?pool=5')).toEqual([expect.stringContaining('must not have parameters')]);
  });
});
