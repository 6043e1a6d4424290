import { mailPartKey } from '../common/mail-addresses.js';
import { comparisonKey } from '../common/text-keys.js';
import type { PlutoDataSource } from '../database/pluto-data-source.js';

interface Page {
  limit: number;
  offset: number;
}

/** The last code point: a text followed by it is an upper bound for all that begins with the text. */
const LAST_CHARACTER = '\u{10ffff}';

/**
 * The accounts in whose name, handle or mails a text occurs: those with a part that begins with it, read in
 * the order of the index. A range rather than LIKE: both databases use the index for it, and it has no
 * wildcards.
 */
export class UserSearch {
  /** The comparison keys of the text: texts with equal keys match the same accounts. */
  readonly key: string;
  private readonly keys: string[];

  constructor(
    private readonly dataSource: PlutoDataSource,
    text: string,
  ) {
    // The text may be a part of a domain, whose spelling with `xn--` is another text.
    this.keys = [...new Set([comparisonKey(text), mailPartKey(text)])];
    this.key = this.keys.join('\n');
  }

  async count(): Promise<number> {
    const sql = `SELECT COUNT(DISTINCT p.user_id) AS total FROM search_parts p WHERE ${this.matches}`;
    const [row] = await this.dataSource.read<{ total: number | string }>(sql, this.ranges);
    return Number(row?.total ?? 0);
  }

  /** The ids of a page; an account is where its first matching part is. */
  async readPage({ limit, offset }: Page): Promise<number[]> {
    // INSTR, since for a range MariaDB may read all matches again for each of them.
    const begins = this.keys.map(() => 'INSTR(o.part, ?) = 1').join(' OR ');
    const sql = `SELECT p.user_id AS id FROM search_parts p WHERE ${this.matches} AND NOT EXISTS (
        SELECT 1 FROM search_parts o WHERE o.user_id = p.user_id AND o.part < p.part AND (${begins}))
      ORDER BY p.part, p.user_id LIMIT ? OFFSET ?`;
    const parameters = [...this.ranges, ...this.keys, limit, offset];
    const rows = await this.dataSource.read<{ id: number }>(sql, parameters);
    return rows.map(({ id }) => id);
  }

  private get matches(): string {
    return `(${this.keys.map(() => 'p.part BETWEEN ? AND ?').join(' OR ')})`;
  }

  private get ranges(): string[] {
    return this.keys.flatMap((key) => [key, key + LAST_CHARACTER]);
  }
}
