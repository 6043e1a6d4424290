/** The scopes of a role, by name. */
export interface RoleScopes {
  roleId: number;
  roleName: string;
  scopes: string[];
  defaultScope: string | null;
}

/** Parses requested scopes: names separated by commas or spaces; without duplicates, in the given order. */
export function parseScopes(text: string | undefined): string[] {
  return [...new Set((text ?? '').split(/[\s,]+/).filter((name) => name !== ''))];
}

/**
 * Chooses the scopes of a token: the requested ones that the role has. If none was requested or none is left,
 * the role's default scope, if it has one.
 * @param role the account's role in the application; null: no role, so no scopes
 * @param ceiling the scopes granted to an OAuth client, which the result never exceeds; omitted for
 *   first-party sessions
 */
export function effectiveScopes(requested: string[], role: RoleScopes | null, ceiling?: string[]): string[] {
  if (!role) return [];
  const grantable = new Set(ceiling ? role.scopes.filter((name) => ceiling.includes(name)) : role.scopes);
  const granted = requested.filter((name) => grantable.has(name));
  if (granted.length > 0) return granted;
  return role.defaultScope !== null && grantable.has(role.defaultScope) ? [role.defaultScope] : [];
}
