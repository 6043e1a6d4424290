import type { Command } from 'commander';
import { AppleGrantsService } from '../auth/providers/apple/apple-grants.service.js';
import { numberOf } from './arguments.js';
import { formatTime, print, printTable } from './output.js';
import type { WithServices } from './with-services.js';

/** `pluto apple list` and `pluto apple drop`. */
export function addAppleCommands(program: Command, withServices: WithServices): void {
  const apple = program
    .command('apple')
    .description('consents of people who have left, until Apple has revoked them');
  apple
    .command('list')
    .description('show those that Apple has not acknowledged yet')
    .action(() => withServices((services) => list(services.get(AppleGrantsService))));
  apple
    .command('drop')
    .description('give one up, such as one of a client that Apple knows no more')
    .argument('<id>', 'its number', numberOf('an entry'))
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
    'Apple has acknowledged everything.',
  );
}

async function drop(grants: AppleGrantsService, id: number): Promise<void> {
  if (!(await grants.drop(id))) throw new Error(`there is nothing to revoke with the number ${id}`);
  print(`${id} is given up`);
}
