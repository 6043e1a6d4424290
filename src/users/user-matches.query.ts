import { comparisonKey } from '../common/text-keys.js';
import type { PlutoDataSource } from '../database/pluto-data-source.js';

type Range = [from: string, to: string];

interface Page {
  limit: number;
  offset: number;
}

/** Ids as one text: tens of thousands of rows cost ten times as long to receive. */
interface IdList {
  total: number;
  sum: number;
  ids: string | null;
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

/** With a mail that matches; once for each such mail. */
const WITH_MAIL = `identities i WHERE ${MAIL_MATCHES}`;

/** To look up an account takes some microseconds, to compare it with a list a tenth of one. */
const FEW = 500;

/** How many accounts match: in all, and by each of the parts. */
export interface MatchCounts {
  total: number;
  names: number;
  handles: number;
  mails: number;
}

/** The accounts whose name, handle or mail begins with a text. */
export class Matches {
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
    const [names, handles, withMail] = await Promise.all([
      this.countRows(BY_NAME.from),
      this.list('u.id', BY_HANDLE.from),
      this.list('i.user_id', WITH_MAIL),
    ]);
    const mails = await this.countByMail(names, handles, withMail);
    return { total: names + handles.total + mails, names, handles: handles.total, mails };
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

  /** Those that only a mail matches. Where there are many, indexes alone are read, and not each account. */
  private async countByMail(names: number, handles: IdList, mails: IdList): Promise<number> {
    if (mails.total === 0) return 0;
    const lists = mails.total > FEW ? [mails, handles] : [];
    if (lists.length > 0 && names > 0) lists.push(await this.list('u.id', BY_NAME.from));
    const [found, ...others] = lists.map(idsOf);
    if (!found || others.includes(null)) return this.countRows(BY_MAIL.from);
    const left = new Set(found);
    for (const ids of others) for (const id of ids!) left.delete(id);
    return left.size;
  }

  private async countRows(from: string): Promise<number> {
    const [row] = await this.read<{ total: number | string }>(`SELECT COUNT(*) AS total FROM ${from}`);
    return Number(row?.total ?? 0);
  }

  private async list(id: string, from: string): Promise<IdList> {
    const [row] = await this.read<Record<'total' | 'sum', unknown> & { ids: string | null }>(
      `SELECT COUNT(*) AS total, SUM(${id}) AS sum, GROUP_CONCAT(${id}) AS ids FROM ${from}`,
    );
    return { total: Number(row?.total ?? 0), sum: Number(row?.sum ?? 0), ids: row?.ids ?? null };
  }

  /** The range is given once for each place that asks for one. */
  private read<Row>(sql: string, ...more: number[]): Promise<Row[]> {
    const places = sql.split('BETWEEN ? AND ?').length - 1;
    const ranges = Array.from({ length: places }, () => this.range).flat();
    return this.dataSource.read<Row>(sql, [...ranges, ...more]);
  }
}

/** @returns null for a text that MySQL has cut short, at `group_concat_max_len` or `max_allowed_packet` */
function idsOf({ sum, ids }: IdList): number[] | null {
  const numbers = ids === null ? [] : (JSON.parse(`[${ids.replace(/,$/, '')}]`) as number[]);
  return numbers.reduce((total, id) => total + id, 0) === sum ? numbers : null;
}
