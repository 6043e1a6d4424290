import { InvalidArgumentError, type Command } from 'commander';
import { KeyRotationService, PUBLISH_LEAD_SECONDS, type KeyListing } from '../token/key-rotation.service.js';
import { formatTime, printTable } from './output.js';
import type { WithServices } from './with-services.js';

/** `pluto keys list` and `pluto keys rotate`. */
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
    .action(({ lead }: { lead: number }) =>
      withServices(async (services) => printKeys(await services.get(KeyRotationService).rotate(null, lead))),
    );
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
