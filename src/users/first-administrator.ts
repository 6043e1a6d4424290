/** Names of the account that the first start creates. */
export const FIRST_ADMINISTRATOR = { handle: 'admin', name: 'Administrator' } as const;
