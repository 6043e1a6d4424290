import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { PlutoDataSource } from '../database/pluto-data-source.js';
import { execute, type SqlStatement } from '../database/sql-statement.js';
import { Transactions } from '../database/transactions.js';
import { AccountsService } from './accounts.service.js';
import { SearchPart } from './search-part.entity.js';

/** Every part of the texts of accounts, once. Both databases count characters, not bytes. */
const ADD_PARTS = `
  INSERT INTO search_parts (part, user_id)
  WITH RECURSIVE places (place) AS (SELECT 1 UNION ALL SELECT place + 1 FROM places WHERE place < 254)
  SELECT DISTINCT SUBSTR(texts.whole, places.place), texts.user_id
  FROM (SELECT id AS user_id, name_key AS whole FROM users WHERE id BETWEEN ? AND ?
    UNION SELECT id, handle_key FROM users WHERE id BETWEEN ? AND ?
    UNION SELECT user_id, mail_key FROM identities WHERE user_id BETWEEN ? AND ?) texts
  JOIN places ON LENGTH(SUBSTR(texts.whole, places.place, 1)) > 0`;

/** Accounts of which a whole text is no part: an instance of an earlier version has written them. */
const MISSING = `
  SELECT u.id AS id FROM users u WHERE u.id BETWEEN ? AND ? AND (
    NOT EXISTS (SELECT 1 FROM search_parts p WHERE p.user_id = u.id AND p.part = u.name_key)
    OR NOT EXISTS (SELECT 1 FROM search_parts p WHERE p.user_id = u.id AND p.part = u.handle_key)
    OR EXISTS (SELECT 1 FROM identities i WHERE i.user_id = u.id AND i.mail_key <> '' AND NOT EXISTS (
      SELECT 1 FROM search_parts p WHERE p.user_id = i.user_id AND p.part = i.mail_key)))`;

/** Accounts that a query looks through, and that a round of housekeeping does. */
const RANGE = 1000;
const RANGES_PER_ROUND = 20;

/** Adds the parts of accounts that have none yet, by the first and the last of their ids. */
export function addingSearchParts(from: number, to: number): SqlStatement {
  return { sql: ADD_PARTS, parameters: [from, to, from, to, from, to] };
}

/** Keeps the parts by which administrators search accounts. */
@Injectable()
export class SearchIndex {
  /** The account up to which housekeeping has looked; each round goes on from there. */
  private checkedUpTo = 0;

  constructor(
    private readonly dataSource: PlutoDataSource,
    private readonly transactions: Transactions,
    private readonly accounts: AccountsService,
  ) {}

  /** Call it in the transaction that changes name, handle or mails of an account, after the change. */
  async refresh(manager: EntityManager, userId: number): Promise<void> {
    // Of two transactions that change texts of an account, the second must see those of the first.
    if (!(await this.accounts.lock(manager, userId))) return;
    await manager.delete(SearchPart, { userId });
    await execute(manager, addingSearchParts(userId, userId));
  }

  /** Completes what an instance of an earlier version has left out during a rolling upgrade. */
  async repair(signal: AbortSignal): Promise<void> {
    for (let range = 0; range < RANGES_PER_ROUND && !signal.aborted; range++) {
      const highest = await this.highestId();
      const from = this.checkedUpTo < highest ? this.checkedUpTo + 1 : 1;
      const to = Math.min(from + RANGE - 1, highest);
      for (const id of await this.findMissing(from, to))
        await this.transactions.run((manager) => this.refresh(manager, id));
      this.checkedUpTo = to;
      if (to === highest) return;
    }
  }

  private async highestId(): Promise<number> {
    const [row] = await this.dataSource.read<{ id: number | null }>('SELECT MAX(id) AS id FROM users', []);
    return row?.id ?? 0;
  }

  private async findMissing(from: number, to: number): Promise<number[]> {
    const rows = await this.dataSource.read<{ id: number }>(MISSING, [from, to]);
    return rows.map(({ id }) => id);
  }
}
