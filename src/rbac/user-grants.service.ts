import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { Application } from './application.entity.js';
import { effectiveScopes, type RoleScopes } from './effective-scopes.js';
import { RoleScope } from './role-scope.entity.js';
import { Role } from './role.entity.js';
import { Scope } from './scope.entity.js';
import { UserRole } from './user-role.entity.js';

interface GrantRow {
  roleId: number;
  roleName: string;
  defaultScopeId: number | null;
  scopeId: number | null;
  scopeName: string | null;
}

/** Says which role an account holds in an application and which scopes it may get there. */
@Injectable()
export class UserGrantsService {
  constructor(private readonly dataSource: DataSource) {}

  /** The role given to the account in the application, else the application's default role; null: neither. */
  async findRole(
    userId: number,
    applicationId: number,
    manager: EntityManager = this.dataSource.manager,
  ): Promise<RoleScopes | null> {
    const rows = await manager
      .createQueryBuilder()
      .select('role.id', 'roleId')
      .addSelect('role.name', 'roleName')
      .addSelect('role.defaultScopeId', 'defaultScopeId')
      .addSelect('scope.id', 'scopeId')
      .addSelect('scope.name', 'scopeName')
      .from(Application, 'application')
      .leftJoin(UserRole, 'given', 'given.applicationId = application.id AND given.userId = :userId', {
        userId,
      })
      .innerJoin(
        Role,
        'role',
        'role.id = COALESCE(given.roleId, application.defaultRoleId) AND role.applicationId = application.id',
      )
      .leftJoin(RoleScope, 'attached', 'attached.roleId = role.id')
      .leftJoin(Scope, 'scope', 'scope.id = attached.scopeId AND scope.applicationId = application.id')
      .where('application.id = :applicationId', { applicationId })
      .orderBy('scope.id')
      .getRawMany<GrantRow>();
    return toRoleScopes(rows);
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
