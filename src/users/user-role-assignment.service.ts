import { Injectable } from '@nestjs/common';
import { PlutoError } from '../common/errors.js';
import type { RequestContext } from '../common/request-context.js';
import { Transactions } from '../database/transactions.js';
import { ApplicationsService } from '../applications/applications.service.js';
import { PLUTO } from '../applications/pluto-names.js';
import { UserRolesService } from '../rbac/user-roles.service.js';
import { AccountsService } from './accounts.service.js';

/** Gives accounts roles of the application that they belong to. */
@Injectable()
export class UserRoleAssignmentService {
  constructor(
    private readonly transactions: Transactions,
    private readonly accounts: AccountsService,
    private readonly applications: ApplicationsService,
    private readonly userRoles: UserRolesService,
  ) {}

  /**
   * Gives the account a role in place of the one it has; its next token carries it.
   * @throws PlutoError userNotExist, also for an account of another application | applicationNotExist | roleNotExist |
   *   mailNotVerified, for an account of `pluto` | forbidden, when nobody would be left to administer Pluto
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
      // Whoever registers its mail again replaces an unconfirmed account, an administrator like any other.
      if (application.nameKey === PLUTO.application && !(await this.accounts.isVerified(userId, manager))) {
        throw new PlutoError('mailNotVerified');
      }
      await this.userRoles.assign(manager, userId, application, roleId);
    });
  }
}
