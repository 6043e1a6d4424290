import { Injectable } from '@nestjs/common';
import { In, type EntityManager } from 'typeorm';
import { PlutoDataSource } from '../database/pluto-data-source.js';
import { Application } from '../applications/application.entity.js';
import { effectiveScopes, type RoleScopes } from './effective-scopes.js';
import { HELD_ROLE_COLUMNS, joinHeldRole, toRoleScopes, type HeldRoleRow } from './held-role.js';
import { Role } from './role.entity.js';
import { UserRole } from './user-role.entity.js';

/** Plain SQL, since generating it with TypeORM takes longer than the query itself. */
const FIND_ROLE = `
  SELECT ${HELD_ROLE_COLUMNS}
  FROM applications a
  ${joinHeldRole('?')}
  WHERE a.id = ?
  ORDER BY scope.id`;

/** The role of an account, assigned or by default. */
export type HeldRole = Pick<Role, 'id' | 'name'>;

/** Determines an account's role in an application and the scopes it may get there. */
@Injectable()
export class UserGrantsService {
  constructor(private readonly dataSource: PlutoDataSource) {}

  /** The account's assigned role in the application, else the application's default role; null: neither. */
  async findRole(userId: number, applicationId: number, manager?: EntityManager): Promise<RoleScopes | null> {
    const parameters = [userId, applicationId];
    const rows = manager
      ? await manager.query<HeldRoleRow[]>(FIND_ROLE, parameters)
      : await this.dataSource.read<HeldRoleRow>(FIND_ROLE, parameters);
    return toRoleScopes(rows);
  }

  /** The roles of accounts in their applications, by account id; always two queries. */
  async rolesOf(accounts: { userId: number; applicationId: number }[]): Promise<Map<number, HeldRole>> {
    const { manager } = this.dataSource;
    const given = await manager.findBy(UserRole, { userId: In(accounts.map(({ userId }) => userId)) });
    const applicationIds = [...new Set(accounts.map(({ applicationId }) => applicationId))];
    const roles = await manager
      .createQueryBuilder(Role, 'role')
      .innerJoin(Application, 'application', 'application.id = role.applicationId')
      .select(['role.id AS id', 'role.name AS name', 'role.applicationId AS applicationId'])
      .addSelect('application.defaultRoleId', 'defaultRoleId')
      .where('role.applicationId IN (:...applicationIds)', { applicationIds: [0, ...applicationIds] })
      .andWhere('(role.id = application.defaultRoleId OR role.id IN (:...roleIds))', {
        roleIds: [0, ...given.map(({ roleId }) => roleId)],
      })
      .getRawMany<HeldRole & { applicationId: number; defaultRoleId: number | null }>();
    const holds = accounts.map(({ userId, applicationId }) => {
      const own = given.find((row) => row.userId === userId && row.applicationId === applicationId);
      const role = roles.find((candidate) => {
        const wanted = own?.roleId ?? candidate.defaultRoleId;
        return candidate.applicationId === applicationId && candidate.id === wanted;
      });
      return [userId, role] as const;
    });
    return new Map(
      holds.flatMap(([userId, role]) => (role ? [[userId, { id: role.id, name: role.name }]] : [])),
    );
  }

  /** The scopes of a token for the account: see `effectiveScopes`. */
  async scopesFor(
    grant: { userId: number; applicationId: number; requested: string[]; ceiling?: string[] },
    manager?: EntityManager,
  ): Promise<string[]> {
    const role = await this.findRole(grant.userId, grant.applicationId, manager);
    return effectiveScopes(grant.requested, role, grant.ceiling);
  }

  /** Whether the account's role currently has one of the scopes, independent of its token. */
  async holdsAny(userId: number, applicationId: number, scopes: readonly string[]): Promise<boolean> {
    const role = await this.findRole(userId, applicationId);
    return role !== null && role.scopes.some((name) => scopes.includes(name));
  }
}
