/** Pluto's own application, and its roles and scopes that Pluto's guards check. */
export const PLUTO = {
  application: 'pluto',
  adminRole: 'admin',
  userRole: 'user',
  adminScope: 'pluto.admin',
  userScope: 'pluto.user',
} as const;
