import type { RoleScopes } from './effective-scopes.js';

/** One row for each scope of the account's role, or a single row without scope or without role. */
export interface HeldRoleRow {
  roleId: number | null;
  roleName: string | null;
  defaultScopeId: number | null;
  scopeId: number | null;
  scopeName: string | null;
}

/** The columns that `toRoleScopes` reads, to be selected together with `joinHeldRole`. */
export const HELD_ROLE_COLUMNS = `
  role.id AS roleId, role.name AS roleName, role.default_scope_id AS defaultScopeId, scope.id AS scopeId,
  scope.name AS scopeName`;

/**
 * Joins the account's role in the application to `applications a`: the assigned role, else the default role.
 * @param userId the account's id, as an SQL expression
 */
export const joinHeldRole = (userId: string) => `
  LEFT JOIN user_roles g ON g.application_id = a.id AND g.user_id = ${userId}
  LEFT JOIN roles role ON role.id = COALESCE(g.role_id, a.default_role_id) AND role.application_id = a.id
  LEFT JOIN role_scopes rs ON rs.role_id = role.id
  LEFT JOIN scopes scope ON scope.id = rs.scope_id AND scope.application_id = a.id`;

/** @returns null if the account has no role */
export function toRoleScopes(rows: HeldRoleRow[]): RoleScopes | null {
  const [first] = rows;
  if (!first || first.roleId === null || first.roleName === null) return null;
  return {
    roleId: first.roleId,
    roleName: first.roleName,
    scopes: rows.flatMap(({ scopeName }) => scopeName ?? []),
    defaultScope:
      rows.find(({ scopeId }) => scopeId !== null && scopeId === first.defaultScopeId)?.scopeName ?? null,
  };
}
