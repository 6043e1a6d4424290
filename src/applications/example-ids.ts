/**
 * The ids in examples of the OpenAPI document: far from those of a new server, so that sending an example
 * unchanged changes nothing, in particular not Pluto's own application, roles and scopes.
 */
export const EXAMPLE = { application: 1001, role: 2001, scope: 3001, account: 4001 } as const;
