import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { packageDirectory } from '../src/common/package-directory.js';
import { readCount, WrongOption } from './option-values.js';
import { scenarioNames } from './scenarios.js';

export type DatabaseKind = 'sqlite' | 'mariadb';

export interface Options {
  databases: DatabaseKind[];
  rounds: number;
  /** Of one measurement. */
  seconds: number;
  connections: number;
  accounts: number;
  /** What to measure. */
  parts: Set<string>;
  isGrowth: boolean;
  jsonFile: string;
}

/** What is measured besides the scenarios. */
const OTHER_PARTS = ['start', 'framework', 'paced', 'refresh-during-logins', 'workers'];
const MARIADB_PLACES = ['/usr/sbin/mariadbd', '/usr/bin/mariadbd', '/usr/local/sbin/mariadbd'];

/** @throws WrongOption */
export function readOptions(argv: string[]): Options {
  const { values } = parse(argv);
  return {
    databases: readDatabases(values.database),
    rounds: readCount('rounds', values.rounds),
    seconds: readCount('seconds', values.seconds),
    connections: readCount('connections', values.connections),
    accounts: readCount('accounts', values.accounts ?? (values.growth ? '1000000' : '10000')),
    parts: readParts(values.only),
    isGrowth: values.growth,
    jsonFile: values.json,
  };
}

const OPTIONS = {
  database: { type: 'string', default: 'all' },
  rounds: { type: 'string', default: '5' },
  seconds: { type: 'string', default: '3' },
  connections: { type: 'string', default: '50' },
  accounts: { type: 'string' },
  only: { type: 'string' },
  growth: { type: 'boolean', default: false },
  json: { type: 'string', default: join(packageDirectory, 'bench/results.json') },
} as const;

function parse(argv: string[]) {
  try {
    return parseArgs({ args: argv, options: OPTIONS });
  } catch (error) {
    const known = Object.keys(OPTIONS).map((name) => `--${name}`);
    const [wrong] = (error as Error).message.split('\n');
    throw new WrongOption(`${wrong}; bench/README.md describes ${known.join(', ')}`, { cause: error });
  }
}

function readDatabases(text: string): DatabaseKind[] {
  const hasMariadb =
    process.env.BENCH_DATABASE_URL !== undefined || MARIADB_PLACES.some((path) => existsSync(path));
  if (text === 'all') return hasMariadb ? ['sqlite', 'mariadb'] : ['sqlite'];
  if (text === 'sqlite') return [text];
  if (text !== 'mariadb') throw new WrongOption('--database takes sqlite, mariadb or all');
  if (!hasMariadb) throw new WrongOption('there is no mariadbd here; BENCH_DATABASE_URL may name a server');
  return [text];
}

function readParts(text: string | undefined): Set<string> {
  const known = [...scenarioNames, ...OTHER_PARTS];
  const parts = text?.split(',') ?? known;
  const unknown = parts.find((part) => !known.includes(part));
  if (unknown !== undefined) throw new WrongOption(`--only takes ${known.join(', ')}, not ${unknown}`);
  return new Set(parts);
}
