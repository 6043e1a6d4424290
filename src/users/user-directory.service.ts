import { Injectable } from '@nestjs/common';
import { DataSource, In } from 'typeorm';
import { groupBy } from '../common/group-by.js';
import { comparisonKey } from '../common/text-keys.js';
import { nowSeconds } from '../common/time.js';
import type { Application } from '../rbac/application.entity.js';
import { UserGrantsService, type HeldRole } from '../rbac/user-grants.service.js';
import { ApplicationsService } from '../rbac/applications.service.js';
import { Identity } from './identity.entity.js';
import { User } from './user.entity.js';

type Range = [from: string, to: string];

/** An account as administrators see it. */
export interface FoundUser {
  user: User;
  identities: Identity[];
  application: Application;
  role: HeldRole | null;
}

export interface UserSummary {
  total: number;
  verified: number;
  newIn24Hours: number;
  newIn7Days: number;
  newIn30Days: number;
  applications: { id: number; name: string; total: number }[];
}

const DAY_SECONDS = 24 * 60 * 60;
/** The last code point: no key that begins with a prefix is greater than the prefix followed by it. */
const LAST_CHARACTER = '\u{10ffff}';

const NAME_MATCHES = 'u.name_key BETWEEN ? AND ?';
const HANDLE_MATCHES = 'u.handle_key BETWEEN ? AND ?';

/**
 * The accounts that match, in three parts that share none: by name, else by handle, else by mail. Each part is read
 * in the order of its index, so a page costs no more than its place in it, however many accounts match. A range
 * rather than LIKE: both dialects serve it by the indexes, and no character in it is a wildcard.
 */
const MATCHES = [
  { from: `users u WHERE ${NAME_MATCHES}`, order: 'u.name_key, u.id' },
  { from: `users u WHERE ${HANDLE_MATCHES} AND NOT (${NAME_MATCHES})`, order: 'u.handle_key, u.id' },
  {
    from: `identities i JOIN users u ON u.id = i.user_id WHERE i.mail_key BETWEEN ? AND ?
      AND NOT (${NAME_MATCHES}) AND NOT (${HANDLE_MATCHES}) AND NOT EXISTS (
        SELECT 1 FROM identities o WHERE o.user_id = i.user_id AND o.id < i.id AND o.mail_key BETWEEN ? AND ?)`,
    order: 'i.mail_key, i.id',
  },
];

/** Lets administrators find and count accounts. */
@Injectable()
export class UserDirectoryService {
  constructor(
    private readonly dataSource: DataSource,
    private readonly applications: ApplicationsService,
    private readonly grants: UserGrantsService,
  ) {}

  /**
   * Accounts whose name, handle or mail is the text or begins with it, without regard to case: those found by name
   * first, then by handle, then by mail, each in the order of what they were found by, so that exact matches lead.
   */
  async search(
    text: string,
    page: { limit: number; offset: number },
  ): Promise<{ users: FoundUser[]; total: number }> {
    const from = comparisonKey(text.trim());
    const range: Range = [from, from + LAST_CHARACTER];
    const ids: number[] = [];
    let total = 0;
    for (const { from: matches, order } of MATCHES) {
      const count = await this.count(matches, range);
      const offset = Math.max(0, page.offset - total);
      const limit = page.limit - ids.length;
      if (limit > 0 && offset < count)
        ids.push(...(await this.readIds(`${matches} ORDER BY ${order}`, range, { limit, offset })));
      total += count;
    }
    return { users: await this.load(ids), total };
  }

  /** Counts accounts; nothing is loaded. */
  async summarize(): Promise<UserSummary> {
    const { manager } = this.dataSource;
    const countSince = (seconds: number) =>
      manager
        .createQueryBuilder(User, 'user')
        .where('user.createdAt >= :since', { since: nowSeconds() - seconds })
        .getCount();
    const [total, verified, newIn24Hours, newIn7Days, newIn30Days, applications] = await Promise.all([
      manager.count(User),
      this.countVerified(),
      countSince(DAY_SECONDS),
      countSince(7 * DAY_SECONDS),
      countSince(30 * DAY_SECONDS),
      this.countByApplication(),
    ]);
    return { total, verified, newIn24Hours, newIn7Days, newIn30Days, applications };
  }

  private async count(matches: string, range: Range): Promise<number> {
    const [row] = await this.dataSource.query<{ total: number | string }[]>(
      `SELECT COUNT(*) AS total FROM ${matches}`,
      fill(matches, range),
    );
    return Number(row?.total ?? 0);
  }

  private async readIds(
    matches: string,
    range: Range,
    page: { limit: number; offset: number },
  ): Promise<number[]> {
    const rows = await this.dataSource.query<{ id: number }[]>(
      `SELECT u.id AS id FROM ${matches} LIMIT ? OFFSET ?`,
      [...fill(matches, range), page.limit, page.offset],
    );
    return rows.map(({ id }) => id);
  }

  /** The accounts, in the order of the ids. */
  private async load(ids: number[]): Promise<FoundUser[]> {
    const { manager } = this.dataSource;
    const known = new Map((await manager.findBy(User, { id: In(ids) })).map((user) => [user.id, user]));
    const users = ids.flatMap((id) => known.get(id) ?? []);
    const identities = await manager.find(Identity, { where: { userId: In(ids) }, order: { id: 'ASC' } });
    const identitiesOf = groupBy(identities, ({ userId }) => userId);
    const applications = new Map(
      (await this.applications.list()).map((application) => [application.id, application]),
    );
    const roleOf = await this.grants.rolesOf(
      users.map(({ id, applicationId }) => ({ userId: id, applicationId })),
    );
    return users.flatMap((user) => {
      const application = applications.get(user.applicationId);
      if (!application) return [];
      return {
        user,
        identities: identitiesOf.get(user.id) ?? [],
        application,
        role: roleOf.get(user.id) ?? null,
      };
    });
  }

  private async countVerified(): Promise<number> {
    const row = await this.dataSource.manager
      .createQueryBuilder(Identity, 'identity')
      .select('COUNT(DISTINCT identity.userId)', 'total')
      .where('identity.isVerified = :isVerified', { isVerified: true })
      .getRawOne<{ total: number | string }>();
    return Number(row?.total ?? 0);
  }

  private async countByApplication(): Promise<UserSummary['applications']> {
    const rows = await this.dataSource.manager
      .createQueryBuilder(User, 'user')
      .select('user.applicationId', 'id')
      .addSelect('COUNT(*)', 'total')
      .groupBy('user.applicationId')
      .getRawMany<{ id: number; total: number | string }>();
    const totals = new Map(rows.map(({ id, total }) => [id, Number(total)]));
    return (await this.applications.list()).map(({ id, name }) => ({ id, name, total: totals.get(id) ?? 0 }));
  }
}

/** The range once for each place that asks for one. */
function fill(sql: string, range: Range): string[] {
  const places = (sql.match(/BETWEEN \? AND \?/g) ?? []).length;
  return Array.from({ length: places }, () => range).flat();
}
