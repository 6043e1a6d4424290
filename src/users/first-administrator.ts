/** What the account that the first start makes is called. */
export const FIRST_ADMINISTRATOR = { handle: 'admin', name: 'Administrator' } as const;
