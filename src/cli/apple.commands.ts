import type { Command } from 'commander';
import { AppleGrantsService } from '../auth/providers/apple/apple-grants.service.js';
import { numberOf } from './arguments.js';
import { formatTime, print, printTable } from './output.js';
import type { WithServices } from './with-services.js';

/** `pluto apple list` and `pluto apple drop`. */
export function addAppleCommands(program: Command, withServices: WithServices): void {
  const apple = program
    .command('apple')
    .description('manage Apple consents of deleted accounts that are still to be revoked');
  apple
    .command('list')
    .description('list the consents that Apple has not confirmed as revoked')
    .action(() => withServices((services) => list(services.get(AppleGrantsService))));
  apple
    .command('drop')
    .description('drop an entry, for example of a client that no longer exists at Apple')
    .argument('<id>', 'ID of the entry', numberOf('an entry'))
    .action((id: number) => withServices((services) => drop(services.get(AppleGrantsService), id)));
}

async function list(grants: AppleGrantsService): Promise<void> {
  printTable(
    ['ID', 'APP', 'CLIENT', 'ATTEMPTS', 'NEXT', 'LAST ERROR'],
    (await grants.listUnrevoked()).map((grant) => [
      String(grant.id),
      String(grant.applicationId),
      grant.clientId,
      String(grant.attempts),
      formatTime(grant.nextAttemptAt),
      grant.lastError,
    ]),
    'No pending revocations.',
  );
}

async function drop(grants: AppleGrantsService, id: number): Promise<void> {
  if (!(await grants.drop(id))) throw new Error(`no pending revocation with the ID ${id}`);
  print(`revocation ${id} dropped`);
}
