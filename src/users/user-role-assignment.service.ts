import { Injectable } from '@nestjs/common';
import { PlutoError } from '../common/errors.js';
import type { RequestContext } from '../common/request-context.js';
import { Transactions } from '../database/transactions.js';
import { ApplicationsService } from '../applications/applications.service.js';
import { PLUTO } from '../applications/pluto-names.js';
import { UserRolesService } from '../rbac/user-roles.service.js';
import { AccountsService } from './accounts.service.js';

/** Assigns roles to accounts of the same application. */
@Injectable()
export class UserRoleAssignmentService {
  constructor(
    private readonly transactions: Transactions,
    private readonly accounts: AccountsService,
    private readonly applications: ApplicationsService,
    private readonly userRoles: UserRolesService,
  ) {}

  /**
   * Replaces the account's role; its next token carries the new one.
   * @throws PlutoError userNotExist, also for an account of another application | applicationNotExist |
   *   roleNotExist | mailNotVerified, for an account of `pluto` | forbidden, when Pluto would lose its last
   *   administrator
   */
  async assign(
    userId: number,
    applicationId: number,
    roleId: number,
    context: RequestContext | null,
  ): Promise<void> {
    await this.transactions.runFor(context, async (manager) => {
      const user = await this.accounts.find(userId, manager);
      if (!user) throw new PlutoError('userNotExist');
      const application = await this.applications.getById(applicationId, manager);
      if (user.applicationId !== application.id) {
        throw new PlutoError('userNotExist', {
          message: 'User is not exist: the account belongs to another application',
        });
      }
      // Anyone can replace an unconfirmed account by registering its mail again, so it must not administer
      // Pluto.
      if (application.nameKey === PLUTO.application && !(await this.accounts.isVerified(userId, manager))) {
        throw new PlutoError('mailNotVerified');
      }
      await this.userRoles.assign(manager, userId, application, roleId);
    });
  }
}
