import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { comparisonKey } from '../common/text-keys.js';
import { nowSeconds } from '../common/time.js';
import { SecurityEvents } from '../events/security-events.js';
import { Application } from '../applications/application.entity.js';
import { PLUTO } from '../applications/pluto-names.js';
import { RoleScope } from './role-scope.entity.js';
import { Role } from './role.entity.js';
import { Scope } from './scope.entity.js';

/** Creates the application `pluto` with the roles and scopes that Pluto's own guards check. */
@Injectable()
export class PlutoApplicationSeed {
  constructor(private readonly events: SecurityEvents) {}

  /** Creates what is missing and keeps what exists. */
  async plant(manager: EntityManager): Promise<{ application: Application; adminRole: Role }> {
    const existing = await manager.findOneBy(Application, { nameKey: PLUTO.application });
    const application = existing ?? (await this.plantApplication(manager));
    const adminRole = await manager.findOneByOrFail(Role, {
      applicationId: application.id,
      nameKey: comparisonKey(PLUTO.adminRole),
    });
    return { application, adminRole };
  }

  private async plantApplication(manager: EntityManager): Promise<Application> {
    const application = await manager.save(Application, {
      ...named(PLUTO.application),
      defaultRoleId: null,
    });
    const belonging = { applicationId: application.id };
    const adminScope = await manager.save(Scope, { ...named(PLUTO.adminScope), ...belonging });
    const userScope = await manager.save(Scope, { ...named(PLUTO.userScope), ...belonging });
    const adminRole = await manager.save(Role, {
      ...named(PLUTO.adminRole),
      ...belonging,
      defaultScopeId: adminScope.id,
    });
    const userRole = await manager.save(Role, {
      ...named(PLUTO.userRole),
      ...belonging,
      defaultScopeId: userScope.id,
    });
    await manager.insert(RoleScope, [
      { roleId: adminRole.id, scopeId: adminScope.id },
      { roleId: adminRole.id, scopeId: userScope.id },
      { roleId: userRole.id, scopeId: userScope.id },
    ]);
    await manager.update(Application, { id: application.id }, { defaultRoleId: userRole.id });
    await this.events.publish(manager, {
      type: 'application.created',
      applicationId: application.id,
      userId: null,
      detail: { application: application.name },
    });
    return application;
  }
}

function named(name: string): { name: string; nameKey: string; createdAt: number } {
  return { name, nameKey: comparisonKey(name), createdAt: nowSeconds() };
}
