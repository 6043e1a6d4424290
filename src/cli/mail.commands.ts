import type { Command } from 'commander';
import type { Mail } from '../mail/mail.entity.js';
import { OutboxService } from '../mail/outbox.service.js';
import { numberOf } from './arguments.js';
import { formatTime, print, printTable } from './output.js';
import type { WithServices } from './with-services.js';

/** `pluto mail list` and `pluto mail retry`. */
export function addMailCommands(program: Command, withServices: WithServices): void {
  const mail = program.command('mail').description('manage queued and failed mails');
  mail
    .command('list')
    .description('list the unsent mails')
    .option('--failed', 'only failed mails', false)
    .action(({ failed }: { failed: boolean }) =>
      withServices(async (services) => printMails(await services.get(OutboxService).list(failed))),
    );
  mail
    .command('retry')
    .description('queue failed mails again; a running server sends them')
    .argument('[id]', 'ID of one mail; default: all failed mails', numberOf('a mail'))
    .action((id: number | undefined) => withServices((services) => retry(services.get(OutboxService), id)));
}

function printMails(mails: Mail[]): void {
  printTable(
    ['ID', 'STATE', 'TEMPLATE', 'TO', 'ATTEMPTS', 'NEXT', 'LAST ERROR'],
    mails.map(({ id, state, template, recipient, attempts, nextAttemptAt, lastError }) => [
      String(id),
      state,
      template,
      recipient,
      String(attempts),
      state === 'queued' ? timeOf(nextAttemptAt) : '-',
      lastError,
    ]),
    'No such mail.',
  );
}

/** A mail without attempts is due immediately. */
function timeOf(nextAttemptAt: number): string {
  return nextAttemptAt === 0 ? 'now' : formatTime(nextAttemptAt);
}

async function retry(outbox: OutboxService, id: number | undefined): Promise<void> {
  const ids = id === undefined ? (await outbox.list(true)).map((mail) => mail.id) : [id];
  for (const one of ids) {
    const isQueued = await outbox.retry(one);
    print(
      isQueued
        ? `mail ${one} is queued`
        : `mail ${one} is not queued: no such failed mail, or its link has expired`,
    );
    if (!isQueued) process.exitCode = 1;
  }
  if (ids.length === 0) print('No failed mails.');
}
