import { comparisonKey } from '../../src/common/text-keys.js';
import { nowSeconds } from '../../src/common/time.js';
import { Application } from '../../src/applications/application.entity.js';
import { RoleScope } from '../../src/rbac/role-scope.entity.js';
import { Role } from '../../src/rbac/role.entity.js';
import { Scope } from '../../src/rbac/scope.entity.js';
import { UserRole } from '../../src/rbac/user-role.entity.js';
import type { TestApp } from './app.js';

export interface TestApplication {
  id: number;
  name: string;
  /** Ids by name. */
  roles: Record<string, number>;
  scopes: Record<string, number>;
}

interface NewApplication {
  name: string;
  /** Scopes by role; the first role is the application's default, the first scope of a role is the role's. */
  roles?: Record<string, string[]>;
}

/** Inserts an application into the database. */
export async function addApplication(
  { dataSource }: TestApp,
  { name, roles = {} }: NewApplication,
): Promise<TestApplication> {
  return dataSource.transaction(async (manager) => {
    const { id } = await manager.save(Application, { ...named(name), defaultRoleId: null });
    const made: TestApplication = { id, name, roles: {}, scopes: {} };
    for (const scope of new Set(Object.values(roles).flat())) {
      const row = await manager.save(Scope, { ...named(scope), applicationId: id });
      made.scopes[scope] = row.id;
    }
    for (const [role, scopes] of Object.entries(roles)) {
      const scopeIds = scopes.map((scope) => made.scopes[scope]!);
      const row = await manager.save(Role, {
        ...named(role),
        applicationId: id,
        defaultScopeId: scopeIds[0] ?? null,
      });
      made.roles[role] = row.id;
      for (const scopeId of scopeIds) await manager.insert(RoleScope, { roleId: row.id, scopeId });
    }
    const [defaultRoleId = null] = Object.values(made.roles);
    await manager.update(Application, { id }, { defaultRoleId });
    return made;
  });
}

/** Gives an account a role in the application, instead of the one it had there. */
export async function giveRole(
  { dataSource }: TestApp,
  userId: number,
  application: TestApplication,
  role: string,
): Promise<void> {
  const place = { userId, applicationId: application.id };
  await dataSource.manager.delete(UserRole, place);
  await dataSource.manager.insert(UserRole, { ...place, roleId: application.roles[role]! });
}

/** Takes a scope from a role. */
export async function detachScope(
  { dataSource }: TestApp,
  application: TestApplication,
  role: string,
  scope: string,
): Promise<void> {
  await dataSource.manager.delete(RoleScope, {
    roleId: application.roles[role]!,
    scopeId: application.scopes[scope]!,
  });
}

export async function attachScope(
  { dataSource }: TestApp,
  application: TestApplication,
  role: string,
  scope: string,
): Promise<void> {
  await dataSource.manager.insert(RoleScope, {
    roleId: application.roles[role]!,
    scopeId: application.scopes[scope]!,
  });
}

function named(name: string): { name: string; nameKey: string; createdAt: number } {
  return { name, nameKey: comparisonKey(name), createdAt: nowSeconds() };
}
