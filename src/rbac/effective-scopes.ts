/** A role as far as granting is concerned; scopes by name. */
export interface RoleScopes {
  roleId: number;
  roleName: string;
  scopes: string[];
  defaultScope: string | null;
}

/** Reads scopes as requests write them: names separated by commas or spaces; each once, in the order asked for. */
export function parseScopes(text: string | undefined): string[] {
  return [...new Set((text ?? '').split(/[\s,]+/).filter((name) => name !== ''))];
}

/**
 * Chooses the scopes of a token: those asked for that the role has; if nothing was asked for or nothing is left,
 * the role's default scope, if it has one.
 * @param role the role that the account holds in the application; null: none, so no scopes
 * @param ceiling what was granted to an OAuth client; the result never exceeds it. Left out for first-party sessions
 */
export function effectiveScopes(requested: string[], role: RoleScopes | null, ceiling?: string[]): string[] {
  if (!role) return [];
  const grantable = new Set(ceiling ? role.scopes.filter((name) => ceiling.includes(name)) : role.scopes);
  const granted = requested.filter((name) => grantable.has(name));
  if (granted.length > 0) return granted;
  return role.defaultScope !== null && grantable.has(role.defaultScope) ? [role.defaultScope] : [];
}
