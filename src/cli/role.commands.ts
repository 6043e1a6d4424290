import type { INestApplicationContext } from '@nestjs/common';
import { InvalidArgumentError, type Command } from 'commander';
import { isName, isScopeName } from '../common/text-checks.js';
import { ApplicationsService } from '../applications/applications.service.js';
import { DefaultRoleService } from '../rbac/default-role.service.js';
import { RolesService } from '../rbac/roles.service.js';
import { ScopesService } from '../rbac/scopes.service.js';
import { AccountsService } from '../users/accounts.service.js';
import { UserRoleAssignmentService } from '../users/user-role-assignment.service.js';
import { print, printTable } from './output.js';
import type { WithServices } from './with-services.js';

/** `pluto role …` and `pluto scope create`; applications, roles and scopes are given by name. */
export function addRoleCommands(program: Command, withServices: WithServices): void {
  const scope = program.command('scope').description('manage scopes');
  scope
    .command('create')
    .description('create a scope')
    .argument('<app>')
    .argument('<scope>', 'name without whitespace or commas', readScopeName)
    .action((app: string, name: string) => withServices((services) => createScope(services, app, name)));

  const role = program.command('role').description('manage roles, which are sets of scopes');
  role
    .command('create')
    .description('create a role')
    .argument('<app>')
    .argument('<role>', 'name', readRoleName)
    .action((app: string, name: string) => withServices((services) => createRole(services, app, name)));
  role
    .command('list')
    .description('list the roles of an application and their scopes; * marks the defaults')
    .argument('<app>')
    .action((app: string) => withServices((services) => listRoles(services, app)));
  role
    .command('scopes')
    .description('replace the scopes of a role')
    .argument('<app>')
    .argument('<role>')
    .argument('[scopes...]', 'names; without any, all scopes are removed')
    .option('--default <scope>', 'the scope granted when a request names none')
    .action((app: string, name: string, scopes: string[], options: { default?: string }) =>
      withServices((services) => setScopes(services, app, name, scopes, options.default)),
    );
  role
    .command('default')
    .description('set the role of accounts without an assigned role')
    .argument('<app>')
    .argument('<role>')
    .action((app: string, name: string) => withServices((services) => setDefaultRole(services, app, name)));
  role
    .command('assign')
    .description('assign a role to an account')
    .argument('<app>')
    .argument('<role>')
    .argument('<account>', 'email address or handle')
    .action((app: string, name: string, account: string) =>
      withServices((services) => assign(services, app, name, account)),
    );
}

async function createScope(services: INestApplicationContext, app: string, name: string): Promise<void> {
  const { id } = await services.get(ApplicationsService).getByName(app);
  const scope = await services.get(ScopesService).create(id, name, null);
  print(`scope ${scope.id} created: ${scope.name}`);
}

async function createRole(services: INestApplicationContext, app: string, name: string): Promise<void> {
  const { id } = await services.get(ApplicationsService).getByName(app);
  const role = await services.get(RolesService).create(id, name, null);
  print(`role ${role.id} created: ${role.name}`);
}

async function listRoles(services: INestApplicationContext, app: string): Promise<void> {
  const { id } = await services.get(ApplicationsService).getByName(app);
  const { application, roles } = await services.get(RolesService).list(id);
  printTable(
    ['ID', 'ROLE', 'SCOPES'],
    roles.map(({ role, scopes }) => [
      String(role.id),
      role.name + (role.id === application.defaultRoleId ? ' *' : ''),
      scopes.map((scope) => scope.name + (scope.id === role.defaultScopeId ? ' *' : '')).join(', '),
    ]),
    'The application has no roles.',
  );
}

async function setScopes(
  services: INestApplicationContext,
  app: string,
  name: string,
  scopeNames: string[],
  defaultScope: string | undefined,
): Promise<void> {
  const { id } = await services.get(ApplicationsService).getByName(app);
  const [roles, scopes] = [services.get(RolesService), services.get(ScopesService)];
  const role = await roles.getByName(id, name);
  const scopeIds = await scopes.idsByName(id, scopeNames);
  const [defaultId] = defaultScope === undefined ? [] : await scopes.idsByName(id, [defaultScope]);
  if (defaultId !== undefined && !scopeIds.includes(defaultId))
    throw new Error(`${defaultScope} cannot be the default: it is not among the scopes`);
  await roles.replaceScopes(role.id, { scopeIds, defaultScopeId: defaultId }, null);
  await listRoles(services, app);
}

async function setDefaultRole(services: INestApplicationContext, app: string, name: string): Promise<void> {
  const { id } = await services.get(ApplicationsService).getByName(app);
  const role = await services.get(RolesService).getByName(id, name);
  await services.get(DefaultRoleService).set(id, role.id, null);
  await listRoles(services, app);
}

async function assign(
  services: INestApplicationContext,
  app: string,
  name: string,
  account: string,
): Promise<void> {
  const { id } = await services.get(ApplicationsService).getByName(app);
  const role = await services.get(RolesService).getByName(id, name);
  const found = await services.get(AccountsService).findUser(id, account);
  if (!found) throw new Error(`${app} has no account ${account}`);
  await services.get(UserRoleAssignmentService).assign(found.id, id, role.id, null);
  print(`${account} now has the role ${role.name}`);
}

function readRoleName(text: string): string {
  if (!isName(text, 60))
    throw new InvalidArgumentError('It must be 1 to 60 characters, not all of them invisible.');
  return text;
}

function readScopeName(text: string): string {
  const name = text.trim();
  if (!isScopeName(name))
    throw new InvalidArgumentError(
      'It must be 1 to 60 characters without whitespace or commas, not all of them invisible.',
    );
  return name;
}
