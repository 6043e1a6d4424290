import { readFileSync } from 'node:fs';
import { InvalidArgumentError, type Command } from 'commander';
import { AdministratorAccountsService } from '../auth/administrator-accounts.service.js';
import { tidyMail } from '../common/mail-addresses.js';
import { isHandle, isMailbox, isName, passwordFault } from '../common/text-checks.js';
import { formatTime, print, printTable } from './output.js';
import type { WithServices } from './with-services.js';

interface CreateOptions {
  handle: string;
  name: string;
  passwordStdin: boolean;
}

/** `pluto admin create` and `pluto admin list`. */
export function addAdminCommands(program: Command, withServices: WithServices): void {
  const admin = program.command('admin').description('manage administrator accounts');
  admin
    .command('create')
    .description('create an administrator; the generated password is printed once')
    .argument('<mail>', 'email address', readMail)
    .requiredOption('--handle <handle>', 'public user ID', readHandle)
    .option('--name <name>', 'display name', readName, 'Administrator')
    .option('--password-stdin', 'read the password from standard input instead of generating one', false)
    .action((mail: string, options: CreateOptions) =>
      withServices((services) => create(services.get(AdministratorAccountsService), mail, options)),
    );
  admin
    .command('list')
    .description('list the administrators')
    .action(() => withServices((services) => list(services.get(AdministratorAccountsService))));
}

async function create(
  administrators: AdministratorAccountsService,
  mail: string,
  { handle, name, passwordStdin }: CreateOptions,
): Promise<void> {
  const password = passwordStdin ? readPassword() : administrators.generatePassword();
  const id = await administrators.create({ mail, handle, name }, password, null);
  print(`administrator ${id} created: ${mail}`);
  if (!passwordStdin) print(`password (save it; it will not be shown again): ${password}`);
}

async function list(administrators: AdministratorAccountsService): Promise<void> {
  const accounts = await administrators.list();
  printTable(
    ['ID', 'MAIL', 'HANDLE', 'NAME', 'CREATED'],
    accounts.map(({ user, mail }) => [
      String(user.id),
      mail,
      user.handle,
      user.name,
      formatTime(user.createdAt),
    ]),
    'No administrator yet: start the server once.',
  );
}

function readPassword(): string {
  const password = readFileSync(0, 'utf8').replace(/\r?\n$/, '');
  if (passwordFault(password) !== null)
    throw new Error('the password must be at least 8 characters and at most 1024 bytes long');
  return password;
}

function readMail(text: string): string {
  const mail = tidyMail(text);
  if (!isMailbox(mail)) throw new InvalidArgumentError('It must be an email address.');
  return mail;
}

function readHandle(text: string): string {
  const handle = text.trim();
  if (!isHandle(handle)) throw new InvalidArgumentError('It must be 1 to 100 characters of A-Z a-z 0-9 _ -.');
  return handle;
}

function readName(text: string): string {
  if (!isName(text, 60))
    throw new InvalidArgumentError('It must be 1 to 60 characters, not all of them invisible.');
  return text.trim();
}
