import { Injectable } from '@nestjs/common';
import { In, type EntityManager } from 'typeorm';
import { PlutoDataSource } from '../database/pluto-data-source.js';
import { Application } from './application.entity.js';
import { effectiveScopes, type RoleScopes } from './effective-scopes.js';
import { Role } from './role.entity.js';
import { UserRole } from './user-role.entity.js';

interface GrantRow {
  roleId: number;
  roleName: string;
  defaultScopeId: number | null;
  scopeId: number | null;
  scopeName: string | null;
}

/** As it is, since TypeORM takes four times as long to write it than the database to answer. */
const FIND_ROLE = `
  SELECT r.id AS roleId, r.name AS roleName, r.default_scope_id AS defaultScopeId, s.id AS scopeId, s.name AS scopeName
  FROM applications a
  LEFT JOIN user_roles g ON g.application_id = a.id AND g.user_id = ?
  JOIN roles r ON r.id = COALESCE(g.role_id, a.default_role_id) AND r.application_id = a.id
  LEFT JOIN role_scopes rs ON rs.role_id = r.id
  LEFT JOIN scopes s ON s.id = rs.scope_id AND s.application_id = a.id
  WHERE a.id = ?
  ORDER BY s.id`;

/** A role that an account holds, given or by default. */
export type HeldRole = Pick<Role, 'id' | 'name'>;

/** Says which role an account holds in an application and which scopes it may get there. */
@Injectable()
export class UserGrantsService {
  constructor(private readonly dataSource: PlutoDataSource) {}

  /** The role given to the account in the application, else the application's default role; null: neither. */
  async findRole(userId: number, applicationId: number, manager?: EntityManager): Promise<RoleScopes | null> {
    const parameters = [userId, applicationId];
    const rows = manager
      ? await manager.query<GrantRow[]>(FIND_ROLE, parameters)
      : await this.dataSource.read<GrantRow>(FIND_ROLE, parameters);
    return toRoleScopes(rows);
  }

  /** The roles that accounts hold in their applications, by account id; in two queries however many there are. */
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

  /** The scopes that a token of the account gets: see `effectiveScopes`. */
  async scopesFor(
    grant: { userId: number; applicationId: number; requested: string[]; ceiling?: string[] },
    manager?: EntityManager,
  ): Promise<string[]> {
    const role = await this.findRole(grant.userId, grant.applicationId, manager);
    return effectiveScopes(grant.requested, role, grant.ceiling);
  }

  /** Whether the account's role has, now, one of the scopes; what its token says does not matter here. */
  async holdsAny(userId: number, applicationId: number, scopes: readonly string[]): Promise<boolean> {
    const role = await this.findRole(userId, applicationId);
    return role !== null && role.scopes.some((name) => scopes.includes(name));
  }
}

function toRoleScopes(rows: GrantRow[]): RoleScopes | null {
  const [first] = rows;
  if (!first) return null;
  return {
    roleId: first.roleId,
    roleName: first.roleName,
    scopes: rows.flatMap(({ scopeName }) => scopeName ?? []),
    defaultScope:
      rows.find(({ scopeId }) => scopeId !== null && scopeId === first.defaultScopeId)?.scopeName ?? null,
  };
}
