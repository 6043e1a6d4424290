import { mailPartKey } from '../common/mail-addresses.js';
import { comparisonKey } from '../common/text-keys.js';
import type { PlutoDataSource } from '../database/pluto-data-source.js';

type Range = [from: string, to: string];

interface Page {
  limit: number;
  offset: number;
}

/** The last code point: a prefix followed by it is an upper bound for all keys with that prefix. */
const LAST_CHARACTER = '\u{10ffff}';

const NAME_MATCHES = 'u.name_key BETWEEN ? AND ?';
const HANDLE_MATCHES = 'u.handle_key BETWEEN ? AND ?';
const MAIL_MATCHES = 'i.mail_key BETWEEN ? AND ?';

/**
 * The matching accounts in three disjoint parts: by name, else by handle, else by mail. Each part is read in
 * the order of its index, so the cost of a page depends on its offset, not on the number of matches. A range
 * rather than LIKE: both dialects use the indexes for it, and it has no wildcards.
 */
const BY_NAME = { from: `users u WHERE ${NAME_MATCHES}`, order: 'u.name_key, u.id' };
const BY_HANDLE = {
  from: `users u WHERE ${HANDLE_MATCHES} AND NOT (${NAME_MATCHES})`,
  order: 'u.handle_key, u.name_key, u.id',
};
const BY_MAIL = {
  from: `identities i JOIN users u ON u.id = i.user_id WHERE ${MAIL_MATCHES}
    AND NOT (${NAME_MATCHES}) AND NOT (${HANDLE_MATCHES}) AND NOT EXISTS (
      SELECT 1 FROM identities o WHERE o.user_id = i.user_id AND o.id < i.id AND o.mail_key BETWEEN ? AND ?)`,
  order: 'i.mail_key, i.user_id, i.id',
};

const COUNTS = `SELECT (SELECT COUNT(*) FROM ${BY_NAME.from}) AS names,
  (SELECT COUNT(*) FROM ${BY_HANDLE.from}) AS handles,
  (SELECT COUNT(*) FROM identities i WHERE ${MAIL_MATCHES}) AS withMail`;

/** Uses indexes only: looking up the account of each matching mail takes far longer. */
const TOTAL = `SELECT COUNT(*) AS total FROM (SELECT u.id FROM users u WHERE ${NAME_MATCHES}
  UNION SELECT u.id FROM users u WHERE ${HANDLE_MATCHES}
  UNION SELECT i.user_id FROM identities i WHERE ${MAIL_MATCHES}) matching`;

/** The number of matches, in total and per part. */
export interface MatchCounts {
  total: number;
  names: number;
  handles: number;
  mails: number;
}

/** The accounts whose name, handle or mail begins with a text. */
export class UserSearch {
  /** The comparison keys of the text: texts with equal keys match the same accounts. */
  readonly key: string;
  private readonly range: Range;
  private readonly mailRange: Range;

  constructor(
    private readonly dataSource: PlutoDataSource,
    text: string,
  ) {
    const keys = [comparisonKey(text), mailPartKey(text)] as const;
    this.key = keys.join('\n');
    this.range = rangeOf(keys[0]);
    this.mailRange = rangeOf(keys[1]);
  }

  async count(): Promise<MatchCounts> {
    const { names = 0, handles = 0, withMail = 0 } = await this.readNumbers(COUNTS);
    const others = names + handles;
    if (withMail === 0) return { total: others, names, handles, mails: 0 };
    const { total = 0 } = await this.readNumbers(TOTAL);
    // Accounts may have been deleted between the two queries.
    const mails = Math.max(0, total - others);
    return { total: others + mails, names, handles, mails };
  }

  /**
   * The ids of a page. Each part keeps the offsets given by its count, even if accounts were created or
   * deleted since, so that the boundaries between parts stay fixed from page to page and no page exceeds the
   * total.
   */
  async readPage({ names, handles, mails }: MatchCounts, { limit, offset }: Page): Promise<number[]> {
    const parts = [
      { part: BY_NAME, first: 0, count: names },
      { part: BY_HANDLE, first: names, count: handles },
      { part: BY_MAIL, first: names + handles, count: mails },
    ];
    const ids: number[] = [];
    for (const { part, first, count } of parts) {
      const from = Math.max(offset, first);
      const to = Math.min(offset + limit, first + count);
      if (from < to) ids.push(...(await this.readPart(part, { limit: to - from, offset: from - first })));
    }
    return ids;
  }

  private async readPart({ from, order }: typeof BY_NAME, { limit, offset }: Page): Promise<number[]> {
    const rows = await this.read<{ id: number }>(
      `SELECT u.id AS id FROM ${from} ORDER BY ${order} LIMIT ? OFFSET ?`,
      limit,
      offset,
    );
    return rows.map(({ id }) => id);
  }

  /** MySQL's driver returns some numbers as strings. */
  private async readNumbers(sql: string): Promise<Record<string, number>> {
    const [row = {}] = await this.read<Record<string, unknown>>(sql);
    return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, Number(value)]));
  }

  /** Repeats the range of the column for each pair of placeholders. */
  private read<Row>(sql: string, ...more: number[]): Promise<Row[]> {
    const ranges = Array.from(sql.matchAll(/(\w+) BETWEEN \? AND \?/g), ([, column]) =>
      column === 'mail_key' ? this.mailRange : this.range,
    );
    return this.dataSource.read<Row>(sql, [...ranges.flat(), ...more]);
  }
}

function rangeOf(key: string): Range {
  return [key, key + LAST_CHARACTER];
}
