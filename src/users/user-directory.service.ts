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

/**
 * The accounts whose name, handle or mail is in a range of keys. A range rather than LIKE: it is served by the
 * indexes in both dialects, and has no wildcards.
 */
const MATCHES = `
  SELECT id FROM users WHERE name_key >= ? AND name_key <= ?
  UNION SELECT id FROM users WHERE handle_key >= ? AND handle_key <= ?
  UNION SELECT user_id AS id FROM identities WHERE mail_key >= ? AND mail_key <= ?`;

/** Lets administrators find and count accounts. */
@Injectable()
export class UserDirectoryService {
  constructor(
    private readonly dataSource: DataSource,
    private readonly applications: ApplicationsService,
    private readonly grants: UserGrantsService,
  ) {}

  /** Accounts whose name, handle or mail is the text or begins with it, without regard to case; oldest first. */
  async search(
    text: string,
    page: { limit: number; offset: number },
  ): Promise<{ users: FoundUser[]; total: number }> {
    const from = comparisonKey(text.trim());
    const range = [from, from + LAST_CHARACTER];
    const ranges = [...range, ...range, ...range];
    const [counted] = await this.dataSource.query<{ total: number | string }[]>(
      `SELECT COUNT(*) AS total FROM (${MATCHES}) matches`,
      ranges,
    );
    const rows = await this.dataSource.query<{ id: number }[]>(`${MATCHES} ORDER BY id LIMIT ? OFFSET ?`, [
      ...ranges,
      page.limit,
      page.offset,
    ]);
    return { users: await this.load(rows.map(({ id }) => id)), total: Number(counted?.total ?? 0) };
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

  private async load(ids: number[]): Promise<FoundUser[]> {
    const { manager } = this.dataSource;
    const users = await manager.find(User, { where: { id: In(ids) }, order: { id: 'ASC' } });
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
