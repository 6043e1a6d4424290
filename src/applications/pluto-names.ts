/** Pluto's own application, and the roles and scopes in it that Pluto's guards know. */
export const PLUTO = {
  application: 'pluto',
  adminRole: 'admin',
  userRole: 'user',
  adminScope: 'pluto.admin',
  userScope: 'pluto.user',
} as const;
