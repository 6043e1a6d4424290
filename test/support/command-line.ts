import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import type { DatabaseSettings } from '../../src/database/data-source-options.js';
import { builtServer } from './built.js';

export interface Outcome {
  code: number | null;
  stdout: string;
  /** Without the line that names the database. */
  stderr: string;
  /** Null if the command did not get as far as opening it. */
  database: string | null;
}

interface Place {
  dataDir: string;
  settings: { database: DatabaseSettings; secretKey?: string | undefined };
}

/** What the command line is told of the place of a server. */
export function environmentOf({
  dataDir,
  settings: { database, secretKey = '' },
}: Place): Record<string, string> {
  const url = database.kind === 'sqlite' ? `sqlite:${database.path}` : database.url;
  return { DATA_DIR: dataDir, DATABASE_URL: url, SECRET_KEY: secretKey };
}

let program: Promise<string> | undefined;

/**
 * Runs the built command line as a process of its own, with nothing of the tests' environment but the path.
 */
export async function runPluto(
  args: string[],
  { env, cwd, input = '' }: { env: Record<string, string>; cwd: string; input?: string },
): Promise<Outcome> {
  program ??= builtServer().then((server) => join(dirname(server), 'src/cli.js'));
  const { PATH = '' } = process.env;
  const child = spawn(process.execPath, [await program, ...args], { cwd, env: { PATH, ...env } });
  const outcome: Outcome = { code: null, stdout: '', stderr: '', database: null };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (outcome.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (outcome.stderr += text));
  // A command that does not read its input may have ended before it is written.
  child.stdin.on('error', () => undefined).end(input);
  [outcome.code] = (await once(child, 'close')) as [number | null];
  const named = /^Database: (.+)\n/.exec(outcome.stderr);
  return named ? { ...outcome, database: named[1]!, stderr: outcome.stderr.slice(named[0].length) } : outcome;
}
