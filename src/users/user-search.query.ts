import { comparisonKey } from '../common/text-keys.js';
import type { PlutoDataSource } from '../database/pluto-data-source.js';

type Range = [from: string, to: string];

interface Page {
  limit: number;
  offset: number;
}

/** The last code point: no key that begins with a prefix is greater than the prefix followed by it. */
const LAST_CHARACTER = '\u{10ffff}';

const NAME_MATCHES = 'u.name_key BETWEEN ? AND ?';
const HANDLE_MATCHES = 'u.handle_key BETWEEN ? AND ?';
const MAIL_MATCHES = 'i.mail_key BETWEEN ? AND ?';

/**
 * The accounts that match, in three parts that share none: by name, else by handle, else by mail. Each part is read
 * in the order of its index, so a page costs no more than its place in it, however many accounts match. A range
 * rather than LIKE: both dialects serve it by the indexes, and no character in it is a wildcard.
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

/** From indexes alone: looking up each account that a mail was found of takes far longer. */
const TOTAL = `SELECT COUNT(*) AS total FROM (SELECT u.id FROM users u WHERE ${NAME_MATCHES}
  UNION SELECT u.id FROM users u WHERE ${HANDLE_MATCHES}
  UNION SELECT i.user_id FROM identities i WHERE ${MAIL_MATCHES}) matching`;

/** How many accounts match: in all, and by each of the parts. */
export interface MatchCounts {
  total: number;
  names: number;
  handles: number;
  mails: number;
}

/** The accounts whose name, handle or mail begins with a text. */
export class UserSearch {
  /** The text in the form in which it is compared: two of the same form ask for the same accounts. */
  readonly key: string;
  private readonly range: Range;

  constructor(
    private readonly dataSource: PlutoDataSource,
    text: string,
  ) {
    this.key = comparisonKey(text);
    this.range = [this.key, this.key + LAST_CHARACTER];
  }

  async count(): Promise<MatchCounts> {
    const { names = 0, handles = 0, withMail = 0 } = await this.readNumbers(COUNTS);
    const others = names + handles;
    if (withMail === 0) return { total: others, names, handles, mails: 0 };
    const { total = 0 } = await this.readNumbers(TOTAL);
    // Accounts may have gone between the two.
    const mails = Math.max(0, total - others);
    return { total: others + mails, names, handles, mails };
  }

  /**
   * The ids of a page. Each part has the places that it was counted to fill, also where accounts have come or gone since: what lies
   * between two parts stays where it is from page to page, and no page goes beyond the total.
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

  /** MySQL's driver returns some numbers as texts. */
  private async readNumbers(sql: string): Promise<Record<string, number>> {
    const [row = {}] = await this.read<Record<string, unknown>>(sql);
    return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, Number(value)]));
  }

  /** The range is given once for each place that asks for one. */
  private read<Row>(sql: string, ...more: number[]): Promise<Row[]> {
    const places = sql.split('BETWEEN ? AND ?').length - 1;
    const ranges = Array.from({ length: places }, () => this.range).flat();
    return this.dataSource.read<Row>(sql, [...ranges, ...more]);
  }
}
