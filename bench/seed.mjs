// Adds accounts to the database of the settings: npm run bench:seed -- --accounts 1000000
// Start the server on it once before. All accounts have the password of the first account, the
// administrator's.
import { parseArgs } from 'node:util';
import { loadSettings } from '../dist/src/config/load-settings.js';
import { accountOf, addAccounts } from './accounts.mjs';

const { values } = parseArgs({ options: { accounts: { type: 'string', default: '1000' } } });
const count = Number(values.accounts);
const { database } = loadSettings();
const url = database.kind === 'sqlite' ? `sqlite:${database.path}` : database.url;

const first = await addAccounts(url, count, (done) => process.stderr.write(`\r${done} of ${count}`));
const [from, to] = [first, first + count - 1].map((number) => accountOf(number).mail);
console.log(`\n${count} accounts added, ${from} to ${to}; their password is the first account's`);
