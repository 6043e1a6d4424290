import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { PlutoError } from '../common/errors.js';
import { isForeignKeyViolation, isUniqueViolation } from '../database/constraints.js';
import { SecurityEvents } from '../events/security-events.js';
import { RetryTransaction } from '../database/transactions.js';
import { AdministratorsService } from './administrators.service.js';
import type { Application } from '../applications/application.entity.js';
import { PLUTO } from '../applications/pluto-names.js';
import { Role } from './role.entity.js';
import { UserRole } from './user-role.entity.js';

/** Assigns roles to accounts. The caller must check that the account belongs to the application. */
@Injectable()
export class UserRolesService {
  constructor(
    private readonly administrators: AdministratorsService,
    private readonly events: SecurityEvents,
  ) {}

  /**
   * Assigns a role in the account's application, replacing any earlier one.
   * @throws PlutoError roleNotExist, also for a role of another application | userNotExist | forbidden, if it
   *   would leave no administrator
   */
  async assign(
    manager: EntityManager,
    userId: number,
    application: Application,
    roleId: number,
  ): Promise<void> {
    const place = { userId, applicationId: application.id };
    const role = await manager.findOneBy(Role, { id: roleId, applicationId: application.id });
    if (!role) throw new PlutoError('roleNotExist');
    const put = () => this.put(manager, place, roleId);
    if (application.nameKey === PLUTO.application) await this.administrators.keepOne(manager, put);
    else await put();
    await this.events.publish(manager, { type: 'role.assigned', ...place, detail: { role: role.name } });
  }

  private async put(
    manager: EntityManager,
    place: Pick<UserRole, 'userId' | 'applicationId'>,
    roleId: number,
  ): Promise<void> {
    const { affected } = await manager.update(UserRole, place, { roleId });
    if (affected === 1) return;
    try {
      await manager.insert(UserRole, { ...place, roleId });
    } catch (error) {
      if (isUniqueViolation(error)) throw new RetryTransaction();
      if (isForeignKeyViolation(error)) throw new PlutoError('userNotExist', { cause: error });
      throw error;
    }
  }
}
