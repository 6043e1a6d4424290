import { Injectable } from '@nestjs/common';
import { DataSource, In, type EntityManager } from 'typeorm';
import { PlutoError } from '../common/errors.js';
import { groupBy } from '../common/group-by.js';
import type { RequestContext } from '../common/request-context.js';
import { comparisonKey } from '../common/text-keys.js';
import { nowSeconds } from '../common/time.js';
import { isForeignKeyViolation, isUniqueViolation } from '../database/constraints.js';
import { SecurityEvents, type SecurityEventDetails } from '../events/security-events.js';
import { Transactions } from '../database/transactions.js';
import { AdministratorsService } from './administrators.service.js';
import { Application } from '../applications/application.entity.js';
import { ApplicationsService } from '../applications/applications.service.js';
import { PLUTO } from '../applications/pluto-names.js';
import { RoleScope } from './role-scope.entity.js';
import { Role } from './role.entity.js';
import { Scope } from './scope.entity.js';

/** A role with its scopes. */
export interface RoleWithScopes {
  role: Role;
  scopes: Scope[];
}

const INSERT_BATCH = 200;

/** Manages the roles of applications and their scopes. */
@Injectable()
export class RolesService {
  constructor(
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly applications: ApplicationsService,
    private readonly administrators: AdministratorsService,
    private readonly events: SecurityEvents,
  ) {}

  /** @throws PlutoError applicationNotExist | roleExists, also if the names differ only in case */
  async create(applicationId: number, name: string, context: RequestContext | null): Promise<Role> {
    await this.applications.getById(applicationId);
    const trimmed = name.trim();
    const role = {
      applicationId,
      name: trimmed,
      nameKey: comparisonKey(trimmed),
      defaultScopeId: null,
      createdAt: nowSeconds(),
    };
    try {
      return await this.transactions.runFor(context, async (manager) => {
        const made = await manager.save(Role, { ...role });
        await this.publishChange(manager, made, 'created');
        return made;
      });
    } catch (error) {
      if (isUniqueViolation(error, 'uq_roles_name')) throw new PlutoError('roleExists', { cause: error });
      throw error;
    }
  }

  /**
   * The application with its roles and their scopes, sorted by id; always three queries.
   * @throws PlutoError applicationNotExist
   */
  async list(applicationId: number): Promise<{ application: Application; roles: RoleWithScopes[] }> {
    const { manager } = this.dataSource;
    const application = await this.applications.getById(applicationId);
    const roles = await manager.find(Role, { where: { applicationId }, order: { id: 'ASC' } });
    const attached = await manager
      .createQueryBuilder(Scope, 'scope')
      .innerJoin(RoleScope, 'attached', 'attached.scopeId = scope.id')
      .innerJoin(Role, 'role', 'role.id = attached.roleId')
      .select(['scope.id AS id', 'scope.name AS name', 'attached.roleId AS roleId'])
      .where('role.applicationId = :applicationId', { applicationId })
      .orderBy('scope.id')
      .getRawMany<Scope & { roleId: number }>();
    const scopesOf = groupBy(attached, ({ roleId }) => roleId);
    return { application, roles: roles.map((role) => ({ role, scopes: scopesOf.get(role.id) ?? [] })) };
  }

  /** @throws PlutoError roleNotExist */
  async getByName(applicationId: number, name: string): Promise<Role> {
    const role = await this.dataSource.manager.findOneBy(Role, {
      applicationId,
      nameKey: comparisonKey(name.trim()),
    });
    if (!role) throw new PlutoError('roleNotExist');
    return role;
  }

  /**
   * Replaces the role's scopes, all or nothing. A default scope that is not among them is cleared; a new one
   * may be set with them.
   * @throws PlutoError roleNotExist | scopeNotExist, also for scopes of another application | forbidden, if
   *   it would leave no administrator, or make everybody one
   */
  async replaceScopes(
    roleId: number,
    { scopeIds, defaultScopeId }: { scopeIds: number[]; defaultScopeId?: number | undefined },
    context: RequestContext | null,
  ): Promise<void> {
    await this.change(roleId, context, async (manager, role) => {
      const wanted = [...new Set(scopeIds)];
      const known = await manager.countBy(Scope, { id: In(wanted), applicationId: role.applicationId });
      if (known !== wanted.length) throw new PlutoError('scopeNotExist');
      await manager.delete(RoleScope, { roleId });
      for (let start = 0; start < wanted.length; start += INSERT_BATCH) {
        const batch = wanted.slice(start, start + INSERT_BATCH);
        await manager.insert(
          RoleScope,
          batch.map((scopeId) => ({ roleId, scopeId })),
        );
      }
      const defaultId = defaultScopeId ?? role.defaultScopeId;
      const isKept = defaultId !== null && wanted.includes(defaultId);
      await manager.update(Role, { id: roleId }, { defaultScopeId: isKept ? defaultId : null });
      await this.refuseForEverybody(manager, role);
      await this.publishChange(manager, role, 'scopes');
    });
  }

  /**
   * Sets the scope that is granted when none is requested.
   * @throws PlutoError roleNotExist | scopeNotExist, if the role does not have the scope
   */
  async setDefaultScope(roleId: number, scopeId: number, context: RequestContext): Promise<void> {
    await this.change(roleId, context, async (manager, role) => {
      if (!(await manager.existsBy(RoleScope, { roleId, scopeId }))) {
        throw new PlutoError('scopeNotExist', {
          message: 'Scope not exist: the role does not have this scope',
        });
      }
      await manager.update(Role, { id: roleId }, { defaultScopeId: scopeId });
      await this.publishChange(manager, role, 'defaultScope');
    });
  }

  /**
   * Checks the default role only: other roles may change even where an earlier version let everybody
   * administer.
   */
  private async refuseForEverybody(manager: EntityManager, { id, applicationId }: Role): Promise<void> {
    const isDefault = await manager.existsBy(Application, { id: applicationId, defaultRoleId: id });
    if (isDefault) await this.administrators.refuseForEverybody(manager);
  }

  private publishChange(
    manager: EntityManager,
    { applicationId, name }: Role,
    change: SecurityEventDetails['role.changed']['change'],
  ): Promise<void> {
    const detail = { role: name, change };
    return this.events.publish(manager, { type: 'role.changed', applicationId, userId: null, detail });
  }

  /** Serializes changes to a role; changes to Pluto's own roles must keep an administrator. */
  private async change(
    roleId: number,
    context: RequestContext | null,
    work: (manager: EntityManager, role: Role) => Promise<void>,
  ): Promise<void> {
    try {
      await this.transactions.runFor(context, async (manager) => {
        await manager.increment(Role, { id: roleId }, 'revision', 1);
        const role = await manager.findOneBy(Role, { id: roleId });
        if (!role) throw new PlutoError('roleNotExist');
        const application = await this.applications.getById(role.applicationId, manager);
        if (application.nameKey === PLUTO.application)
          await this.administrators.keepOne(manager, () => work(manager, role));
        else await work(manager, role);
      });
    } catch (error) {
      if (isForeignKeyViolation(error)) throw new PlutoError('scopeNotExist', { cause: error });
      throw error;
    }
  }
}
