import { nowSeconds } from '../common/time.js';
import type { PlutoDataSource } from '../database/pluto-data-source.js';

export interface UserCounts {
  total: number;
  verified: number;
  newIn24Hours: number;
  newIn7Days: number;
  newIn30Days: number;
  /** By application id; none for one without accounts. */
  applications: Map<number, number>;
}

interface Count {
  counted: 'total' | 'unverified' | 'newIn24Hours' | 'newIn7Days' | 'newIn30Days' | 'application';
  /** Of the application; else 0. */
  id: number;
  count: number;
}

const DAY_SECONDS = 24 * 60 * 60;

/** That of most of the newest accounts: a guess at the largest. A wrong one makes counting longer, not wrong. */
const LARGEST_APPLICATION = `SELECT n.application_id AS id
  FROM (SELECT application_id FROM users ORDER BY id DESC LIMIT 100) n
  GROUP BY n.application_id ORDER BY COUNT(*) DESC LIMIT 1`;

/**
 * In one statement, so that the counts fit together. Only the total takes a whole index: the accounts of the largest
 * application are what the others leave of it, and those that are verified what the unverified leave, which are few
 * since unconfirmed mails are given up. Every account has an identity.
 */
const COUNTS = `
  SELECT 'total' AS counted, 0 AS id, COUNT(*) AS count FROM users
  UNION ALL SELECT 'unverified', 0, COUNT(DISTINCT i.user_id) FROM identities i
    WHERE i.is_verified = 0
    AND NOT EXISTS (SELECT 1 FROM identities o WHERE o.user_id = i.user_id AND o.is_verified = 1)
  UNION ALL SELECT 'newIn24Hours', 0, COUNT(*) FROM users WHERE created_at >= ?
  UNION ALL SELECT 'newIn7Days', 0, COUNT(*) FROM users WHERE created_at >= ?
  UNION ALL SELECT 'newIn30Days', 0, COUNT(*) FROM users WHERE created_at >= ?
  UNION ALL SELECT 'application', application_id, COUNT(*) FROM users
    WHERE application_id < ? GROUP BY application_id
  UNION ALL SELECT 'application', application_id, COUNT(*) FROM users
    WHERE application_id > ? GROUP BY application_id`;

export async function countUsers(dataSource: PlutoDataSource): Promise<UserCounts> {
  const { id: largest } = (await dataSource.readOne<{ id: number }>(LARGEST_APPLICATION, [])) ?? { id: 0 };
  const since = [1, 7, 30].map((days) => nowSeconds() - days * DAY_SECONDS);
  const rows = await dataSource.read<Count>(COUNTS, [...since, largest, largest]);
  const countOf = (name: Count['counted']) =>
    Number(rows.find(({ counted }) => counted === name)?.count ?? 0);
  const others = rows.filter(({ counted }) => counted === 'application');
  const applications = new Map(others.map(({ id, count }) => [id, Number(count)]));
  const total = countOf('total');
  applications.set(largest, total - others.reduce((sum, { count }) => sum + Number(count), 0));
  return {
    total,
    verified: total - countOf('unverified'),
    newIn24Hours: countOf('newIn24Hours'),
    newIn7Days: countOf('newIn7Days'),
    newIn30Days: countOf('newIn30Days'),
    applications,
  };
}
