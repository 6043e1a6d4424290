// Thousands of accounts, inserted directly: copies of the first administrator's row with other names.
import { addingSearchParts } from '../dist/src/users/search-index.service.js';
import { connect } from './database.mjs';

/** The password of the administrator and of every copy. */
export const PASSWORD = 'bench password';

const ROWS_PER_STATEMENT = 200;
/**
 * Keys are spread over the index, so that every transaction touches most pages: few large ones write far
 * less.
 */
const ROWS_PER_TRANSACTION = 20_000;

/** The account with a number; names, handles and mails have many different beginnings. */
export function accountOf(number) {
  const word = wordOf(number);
  return {
    handle: `${word}-${number}`,
    name: `member ${word}`,
    mail: `${word}.${number}@example.com`,
  };
}

/** 26 × 26 × 26 beginnings, spread evenly. */
function wordOf(number) {
  const scattered = (number * 7919) % 17_576;
  return [676, 26, 1].map((place) => String.fromCharCode(97 + (Math.floor(scattered / place) % 26))).join('');
}

/**
 * Adds accounts with verified mails, numbered by their ids.
 * @returns the first number
 */
export async function addAccounts(databaseUrl, count, onProgress = () => undefined) {
  const database = await connect(databaseUrl);
  try {
    const [user] = await database.all('SELECT * FROM users ORDER BY id LIMIT 1');
    const [identity] = await database.all(`SELECT * FROM identities WHERE user_id = ${user.id} LIMIT 1`);
    const [{ last }] = await database.all('SELECT MAX(id) AS last FROM users');
    const first = Number(last) + 1;
    const isSearchable = await hasSearchParts(database);
    for (let from = first; from < first + count; from += ROWS_PER_TRANSACTION) {
      const to = Math.min(from + ROWS_PER_TRANSACTION, first + count);
      await database.run('BEGIN');
      for (let number = from; number < to; number += ROWS_PER_STATEMENT) {
        const numbers = range(number, Math.min(number + ROWS_PER_STATEMENT, to));
        await insert(
          database,
          'users',
          numbers.map((one) => userOf(user, one)),
        );
        await insert(
          database,
          'identities',
          numbers.map((one) => identityOf(identity, one)),
        );
      }
      if (isSearchable) await addParts(database, from, to - 1);
      await database.run('COMMIT');
      onProgress(to - first);
    }
    if (!databaseUrl.startsWith('sqlite:')) await database.run('ANALYZE TABLE users, identities');
    return first;
  } finally {
    await database.close();
  }
}

/** Another build may be older than the search by parts. */
function hasSearchParts(database) {
  return database.run('SELECT 1 FROM search_parts LIMIT 1').then(
    () => true,
    () => false,
  );
}

async function addParts(database, from, to) {
  const { sql, parameters } = addingSearchParts(from, to);
  await database.run(sql, parameters);
}

function userOf(user, id) {
  const { handle, name } = accountOf(id);
  return { ...user, id, handle, handle_key: handle, name, name_key: name };
}

function identityOf(identity, userId) {
  const { mail } = accountOf(userId);
  const own = { user_id: userId, subject_key: mail, mail, mail_key: mail, is_verified: 1 };
  // The database assigns the id.
  return Object.fromEntries(Object.entries({ ...identity, ...own }).filter(([column]) => column !== 'id'));
}

async function insert(database, table, rows) {
  const columns = Object.keys(rows[0]);
  const places = `(${columns.map(() => '?').join(',')})`;
  const values = rows.map(() => places).join(',');
  await database.run(
    `INSERT INTO ${table} (${columns.join(',')}) VALUES ${values}`,
    rows.flatMap((row) => columns.map((column) => row[column])),
  );
}

function range(from, to) {
  return Array.from({ length: to - from }, (_, index) => from + index);
}
