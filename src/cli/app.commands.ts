import { InvalidArgumentError, type Command } from 'commander';
import { isName } from '../common/text-checks.js';
import { ApplicationsService } from '../applications/applications.service.js';
import { formatTime, print, printTable } from './output.js';
import type { WithServices } from './with-services.js';

/** `pluto app create` and `pluto app list`. */
export function addAppCommands(program: Command, withServices: WithServices): void {
  const app = program.command('app').description('manage applications');
  app
    .command('create')
    .description('create an application')
    .argument('<name>', 'the app_id of its clients, such as org.example.app', readName)
    .action((name: string) =>
      withServices(async (services) => {
        const application = await services.get(ApplicationsService).create(name, null);
        print(`application ${application.id} created: ${application.name}`);
      }),
    );
  app
    .command('list')
    .description('list the applications')
    .action(() => withServices(async (services) => list(services.get(ApplicationsService))));
}

async function list(applications: ApplicationsService): Promise<void> {
  const rows = await applications.list();
  printTable(
    ['ID', 'NAME', 'DEFAULT ROLE', 'CREATED'],
    rows.map(({ id, name, defaultRoleId, createdAt }) => [
      String(id),
      name,
      defaultRoleId === null ? '-' : String(defaultRoleId),
      formatTime(createdAt),
    ]),
    'No application yet: start the server once.',
  );
}

function readName(text: string): string {
  if (!isName(text, 100))
    throw new InvalidArgumentError('It must be 1 to 100 characters, not all of them invisible.');
  return text;
}
