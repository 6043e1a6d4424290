import { nowSeconds } from '../common/time.js';
import type { PlutoDataSource } from '../database/pluto-data-source.js';

export interface UserCounts {
  total: number;
  verified: number;
  newIn24Hours: number;
  newIn7Days: number;
  newIn30Days: number;
  /** By application id; applications without accounts are missing. */
  applications: Map<number, number>;
}

interface Count {
  counted: 'unverified' | 'newIn24Hours' | 'newIn7Days' | 'newIn30Days' | 'application';
  /** The application's id for `application`, else 0. */
  id: number;
  count: number;
}

const DAY_SECONDS = 24 * 60 * 60;

/**
 * One statement, so that the counts are consistent; each is read from an index only. Verified accounts are
 * computed from the unverified ones, which are few since unconfirmed mails are deleted. Every account has an
 * identity.
 */
const COUNTS = `
  SELECT 'unverified' AS counted, 0 AS id, COUNT(DISTINCT i.user_id) AS count FROM identities i
    WHERE i.is_verified = 0
    AND NOT EXISTS (SELECT 1 FROM identities o WHERE o.user_id = i.user_id AND o.is_verified = 1)
  UNION ALL SELECT 'newIn24Hours', 0, COUNT(*) FROM users WHERE created_at >= ?
  UNION ALL SELECT 'newIn7Days', 0, COUNT(*) FROM users WHERE created_at >= ?
  UNION ALL SELECT 'newIn30Days', 0, COUNT(*) FROM users WHERE created_at >= ?
  UNION ALL SELECT 'application', application_id, COUNT(*) FROM users GROUP BY application_id`;

export async function countUsers(dataSource: PlutoDataSource): Promise<UserCounts> {
  const since = [1, 7, 30].map((days) => nowSeconds() - days * DAY_SECONDS);
  const rows = await dataSource.read<Count>(COUNTS, since);
  const countOf = (name: Count['counted']) =>
    Number(rows.find(({ counted }) => counted === name)?.count ?? 0);
  const ofApplications = rows.filter(({ counted }) => counted === 'application');
  const applications = new Map(ofApplications.map(({ id, count }) => [id, Number(count)]));
  const total = [...applications.values()].reduce((sum, count) => sum + count, 0);
  return {
    total,
    verified: total - countOf('unverified'),
    newIn24Hours: countOf('newIn24Hours'),
    newIn7Days: countOf('newIn7Days'),
    newIn30Days: countOf('newIn30Days'),
    applications,
  };
}
