import { Injectable } from '@nestjs/common';
import type { EntityManager, SelectQueryBuilder } from 'typeorm';
import { PlutoError } from '../common/errors.js';
import { Application } from '../applications/application.entity.js';
import { PLUTO } from '../applications/pluto-names.js';
import { RoleScope } from './role-scope.entity.js';
import { Scope } from './scope.entity.js';
import { UserRole } from './user-role.entity.js';

/** Prevents Pluto from losing its last administrator, and everybody from becoming one. */
@Injectable()
export class AdministratorsService {
  /**
   * Runs a change that may remove an administrator; such changes are serialized.
   * @param manager of the transaction, which the error rolls back
   * @throws PlutoError forbidden, if no administrator would be left
   */
  async keepOne<T>(manager: EntityManager, change: () => Promise<T>): Promise<T> {
    await manager.increment(Application, { nameKey: PLUTO.application }, 'revision', 1);
    const before = await this.count(manager);
    const result = await change();
    if (before > 0 && (await this.count(manager)) === 0) {
      throw new PlutoError('forbidden', { message: 'Operation Forbidden: this is the last administrator' });
    }
    return result;
  }

  /**
   * Refuses a default role of `pluto` that has `pluto.admin`: every account would be an administrator.
   * @param manager of the transaction that has changed the default role or its scopes, which the error rolls
   *   back. It must have written to the application's row before it reads, so that one of two concurrent
   *   changes sees the other
   * @throws PlutoError forbidden
   */
  async refuseForEverybody(manager: EntityManager): Promise<void> {
    const isForEverybody = await manager
      .createQueryBuilder(Application, 'application')
      .innerJoin(RoleScope, 'attached', 'attached.roleId = application.defaultRoleId')
      .innerJoin(Scope, 'scope', 'scope.id = attached.scopeId AND scope.applicationId = application.id')
      .where('application.nameKey = :application AND scope.name = :scope', {
        application: PLUTO.application,
        scope: PLUTO.adminScope,
      })
      .getExists();
    if (!isForEverybody) return;
    const message = `Operation Forbidden: the default role of ${PLUTO.application} must not have ${PLUTO.adminScope}`;
    throw new PlutoError('forbidden', { message });
  }

  /** The number of accounts with an assigned role of `pluto` that has `pluto.admin`. */
  count(manager: EntityManager): Promise<number> {
    return this.holders(manager).getCount();
  }

  /** The ids of those accounts, lowest first. */
  async listUserIds(manager: EntityManager): Promise<number[]> {
    const holders = await this.holders(manager).orderBy('given.userId').getMany();
    return holders.map(({ userId }) => userId);
  }

  private holders(manager: EntityManager): SelectQueryBuilder<UserRole> {
    return manager
      .createQueryBuilder(UserRole, 'given')
      .innerJoin(Application, 'application', 'application.id = given.applicationId')
      .innerJoin(RoleScope, 'attached', 'attached.roleId = given.roleId')
      .innerJoin(Scope, 'scope', 'scope.id = attached.scopeId AND scope.applicationId = application.id')
      .where('application.nameKey = :application AND scope.name = :scope', {
        application: PLUTO.application,
        scope: PLUTO.adminScope,
      });
  }
}
