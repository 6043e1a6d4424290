import { InvalidArgumentError, Option, type Command } from 'commander';
import { nowSeconds } from '../common/time.js';
import { KeyRotationService, PUBLISH_LEAD_SECONDS, type KeyListing } from '../token/key-rotation.service.js';
import { formatTime, printTable } from './output.js';
import type { WithServices } from './with-services.js';

/** `pluto keys list`, `pluto keys rotate` and `pluto keys activate`. */
export function addKeysCommands(program: Command, withServices: WithServices): void {
  const keys = program.command('keys').description('manage the key pairs that sign access tokens');
  keys
    .command('list')
    .description('list the keys and their states')
    .action(() => withServices(async (services) => printKeys(await services.get(KeyRotationService).list())));
  keys
    .command('rotate')
    .description(
      'create the next key: published now, it signs later; the current one verifies until its tokens expire',
    )
    .option('--lead <seconds>', 'time from publication to first use', readSeconds, PUBLISH_LEAD_SECONDS)
    .addOption(
      new Option(
        '--keep-public-key <time>',
        'keep signer and published public key until then (ISO 8601), to restart services that read it only once',
      )
        .argParser(readTime)
        .conflicts('lead'),
    )
    .action(({ lead, keepPublicKey }: { lead: number; keepPublicKey?: number }) =>
      withServices(async (services) => {
        const leadSeconds = keepPublicKey === undefined ? lead : keepPublicKey - nowSeconds();
        printPlan(await services.get(KeyRotationService).rotate(null, leadSeconds));
      }),
    );
  keys
    .command('activate')
    .description('change when the next key, published already, begins to sign')
    .option(
      '--lead <seconds>',
      'time until then (default: until instances and services know it)',
      readSeconds,
    )
    .action(({ lead }: { lead?: number }) =>
      withServices(async (services) =>
        printPlan(await services.get(KeyRotationService).activate(null, lead)),
      ),
    );
}

function printPlan(listed: KeyListing[]): void {
  printKeys(listed);
  const next = Math.max(...listed.map(({ signsFrom }) => signsFrom));
  process.stderr.write(readersOnce(formatTime(next)));
}

/** PlutoJavaServerSDK asks for `/v1/token/publickey` once per process. */
function readersOnce(time: string): string {
  return (
    `\nFrom ${time} on tokens are signed with the new key, and /v1/token/publickey returns it. Services that read it\n` +
    'only once, such as those with PlutoJavaServerSDK, refuse all new tokens then: restart them at that time. Services\n' +
    'that use /.well-known/jwks.json need nothing.\n'
  );
}

function readTime(text: string): number {
  const seconds = Math.floor(Date.parse(text) / 1000);
  const lead = seconds - nowSeconds();
  if (!Number.isInteger(seconds) || lead < PUBLISH_LEAD_SECONDS || lead > 366 * 86_400) {
    throw new InvalidArgumentError(
      'It must be a time such as 2030-01-31T04:00:00Z, ten minutes to a year from now.',
    );
  }
  return seconds;
}

function printKeys(keys: KeyListing[]): void {
  printTable(
    ['KID', 'STATE', 'CREATED', 'SIGNS FROM', 'VERIFIES UNTIL'],
    keys.map(({ kid, state, createdAt, signsFrom, verifiesUntil }) => [
      kid,
      state,
      formatTime(createdAt),
      formatTime(signsFrom),
      verifiesUntil === null ? '-' : formatTime(verifiesUntil),
    ]),
    'No key yet: start the server once.',
  );
}

function readSeconds(text: string): number {
  const seconds = Number(text);
  if (!Number.isInteger(seconds) || seconds < 0 || seconds > 30 * 86_400) {
    throw new InvalidArgumentError('It must be a whole number of seconds, at most 30 days.');
  }
  return seconds;
}
