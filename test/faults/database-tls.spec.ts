import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { dataSourceOptions } from '../../src/database/data-source-options.js';
import { PlutoDataSource } from '../../src/database/pluto-data-source.js';
import { Mariadb } from './support/mariadb.js';

let folder: string;
let mariadb: Mariadb;

const file = (name: string) => join(folder, name);
const openssl = (...parameters: string[]) =>
  execFileSync('openssl', parameters, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });

function makeAuthority(name: string): void {
  openssl(
    ...'req -x509 -newkey rsa:2048 -nodes -days 2'.split(' '),
    ...['-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.pem`],
  );
}

function makeCertificate(name: string, host: string): void {
  openssl(
    ...'req -newkey rsa:2048 -nodes'.split(' '),
    ...['-subj', `/CN=${host}`, '-keyout', `${name}.key`, '-out', `${name}.csr`],
  );
  writeFileSync(file('names'), `subjectAltName=DNS:${host}`);
  openssl(
    'x509',
    '-req',
    '-days',
    '2',
    '-in',
    `${name}.csr`,
    '-CA',
    'authority.pem',
    '-CAkey',
    'authority.key',
    '-CAcreateserial',
    '-extfile',
    'names',
    '-out',
    `${name}.pem`,
  );
}

const serverWith = (certificate: string) =>
  Mariadb.start(
    `--ssl-cert=${file(`${certificate}.pem`)}`,
    `--ssl-key=${file(`${certificate}.key`)}`,
    '--require-secure-transport=ON',
  );

/** @returns the cipher of the connection, or why there is none */
async function connect(query: string): Promise<string> {
  const url = mariadb.urlOf('mysql', query, 'localhost');
  const source = new PlutoDataSource(dataSourceOptions({ kind: 'mysql', url }, [], []));
  try {
    await source.initialize();
    const [row] = await source.query<{ Value: string }[]>("SHOW STATUS LIKE 'Ssl_cipher'");
    return row!.Value;
  } catch (error) {
    return (error as Error).message;
  } finally {
    if (source.isInitialized) await source.destroy();
  }
}

beforeAll(() => {
  Logger.overrideLogger(false);
  folder = mkdtempSync(join(tmpdir(), 'pluto-tls-'));
  makeAuthority('authority');
  makeAuthority('stranger');
  makeCertificate('good', 'localhost');
  makeCertificate('misnamed', 'elsewhere.example');
});
afterEach(() => mariadb.remove());
afterAll(() => rmSync(folder, { recursive: true }));

describe('a connection by TLS', () => {
  it('is opened to a server with a certificate from the given authority', async () => {
    mariadb = await serverWith('good');
    expect(await connect(`?tls_ca=${file('authority.pem')}`)).toMatch(/^(TLS_|ECDHE)/);
    // The server wants it, and another authority, or none but the system's, did not sign this certificate.
    expect(await connect('')).toMatch(/is unreachable/);
    expect(await connect(`?tls_ca=${file('stranger.pem')}`)).toMatch(
      /is unreachable.*(signature|certificate)/,
    );
    expect(await connect('?tls=true')).toMatch(/is unreachable.*certificate/);
  });

  it('is refused to a server with the certificate of another host', async () => {
    mariadb = await serverWith('misnamed');
    expect(await connect(`?tls_ca=${file('authority.pem')}`)).toMatch(/altnames|does not match/);
  });

  it('does not fall back to clear text if the server has no TLS', async () => {
    mariadb = await Mariadb.start('--skip-ssl');
    expect(await connect(`?tls_ca=${file('authority.pem')}`)).toMatch(/does not support secure/);
    expect(await connect('')).toBe('');
  });
});
