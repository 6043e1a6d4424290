import { CreateAccounts1795305600000 } from './1795305600000-create-accounts.js';

/** All migrations, oldest first. */
export const migrations = [CreateAccounts1795305600000];
