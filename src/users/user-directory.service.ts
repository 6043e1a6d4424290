import { Injectable } from '@nestjs/common';
import { In } from 'typeorm';
import { groupBy } from '../common/group-by.js';
import { PlutoDataSource } from '../database/pluto-data-source.js';
import type { Application } from '../applications/application.entity.js';
import { UserGrantsService, type HeldRole } from '../rbac/user-grants.service.js';
import { ApplicationsService } from '../applications/applications.service.js';
import { CountCache } from './count-cache.js';
import { Identity } from './identity.entity.js';
import { UserSearch } from './user-search.query.js';
import { countUsers, type UserCounts } from './user-summary.query.js';
import { User } from './user.entity.js';

/** An account as administrators see it. */
export interface FoundUser {
  user: User;
  identities: Identity[];
  application: Application;
  role: HeldRole | null;
}

export interface UserSummary extends Omit<UserCounts, 'applications'> {
  applications: { id: number; name: string; total: number }[];
}

/** Lets administrators find and count accounts. */
@Injectable()
export class UserDirectoryService {
  private readonly matchCounts = new CountCache<{ total: number }>();
  private readonly userCounts = new CountCache<UserCounts>();

  constructor(
    private readonly dataSource: PlutoDataSource,
    private readonly applications: ApplicationsService,
    private readonly grants: UserGrantsService,
  ) {}

  /**
   * Accounts in whose name, handle or mails the text occurs, ignoring case; sorted by what follows it there,
   * so that those that end with it come first, then by age.
   * @returns the page and the total, which may be ten seconds old if it is `CACHED_FROM` or more
   */
  async search(
    text: string,
    page: { limit: number; offset: number },
  ): Promise<{ users: FoundUser[]; total: number }> {
    const matches = new UserSearch(this.dataSource, text);
    const { total } = await this.matchCounts.get(matches.key, async () => ({ total: await matches.count() }));
    // Accounts may have been created since they were counted: no page exceeds the total.
    const limit = Math.min(page.limit, total - page.offset);
    const ids = limit > 0 ? await matches.readPage({ ...page, limit }) : [];
    return { users: await this.load(ids), total };
  }

  /** Counts accounts without loading them. From `CACHED_FROM` on the counts may be ten seconds old. */
  async summarize(): Promise<UserSummary> {
    const { applications: totals, ...counts } = await this.userCounts.get('all', () =>
      countUsers(this.dataSource),
    );
    const applications = await this.applications.list();
    return {
      ...counts,
      applications: applications.map(({ id, name }) => ({ id, name, total: totals.get(id) ?? 0 })),
    };
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
}
