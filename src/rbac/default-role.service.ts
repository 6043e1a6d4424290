import { Injectable } from '@nestjs/common';
import { ApplicationsService } from '../applications/applications.service.js';
import { PLUTO } from '../applications/pluto-names.js';
import { PlutoError } from '../common/errors.js';
import type { RequestContext } from '../common/request-context.js';
import { Transactions } from '../database/transactions.js';
import { SecurityEvents } from '../events/security-events.js';
import { AdministratorsService } from './administrators.service.js';
import { Role } from './role.entity.js';

/** Sets the role of accounts without an assigned role. */
@Injectable()
export class DefaultRoleService {
  constructor(
    private readonly transactions: Transactions,
    private readonly applications: ApplicationsService,
    private readonly administrators: AdministratorsService,
    private readonly events: SecurityEvents,
  ) {}

  /**
   * @throws PlutoError applicationNotExist | roleNotExist, also for a role of another application |
   *   forbidden, if it would make everybody an administrator
   */
  async set(applicationId: number, roleId: number, context: RequestContext | null): Promise<void> {
    await this.transactions.runFor(context, async (manager) => {
      const application = await this.applications.lock(manager, applicationId);
      const role = await manager.findOneBy(Role, { id: roleId, applicationId });
      if (!role) throw new PlutoError('roleNotExist');
      await this.applications.setDefaultRole(manager, applicationId, roleId);
      if (application.nameKey === PLUTO.application) await this.administrators.refuseForEverybody(manager);
      await this.events.publish(manager, {
        type: 'role.changed',
        applicationId,
        userId: null,
        detail: { role: role.name, change: 'default' },
      });
    });
  }
}
