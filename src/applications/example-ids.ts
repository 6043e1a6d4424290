/**
 * The ids that the OpenAPI document shows in changes: far from those of a new server, so that an example which is
 * sent as it is finds nothing to change, least of all Pluto's own application, roles and scopes.
 */
export const EXAMPLE = { application: 1001, role: 2001, scope: 3001, account: 4001 } as const;
