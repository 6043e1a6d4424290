import { Injectable, Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { RequestContext } from '../common/request-context.js';
import { nowSeconds } from '../common/time.js';
import { SecurityEvents } from '../events/security-events.js';
import { afterCommit, requestContextOf, Transactions } from '../database/transactions.js';
import { MailFilesService } from '../mail/mail-files.service.js';
import { AdministratorsService } from '../rbac/administrators.service.js';
import { ApplicationsService } from '../applications/applications.service.js';
import { PLUTO } from '../applications/pluto-names.js';
import { AccountsService } from './accounts.service.js';
import { AvatarsService } from './avatars.service.js';
import { User } from './user.entity.js';

/** Deletes accounts. */
@Injectable()
export class AccountDeletionService {
  private readonly logger = new Logger('Accounts');

  constructor(
    private readonly transactions: Transactions,
    private readonly accounts: AccountsService,
    private readonly administrators: AdministratorsService,
    private readonly applications: ApplicationsService,
    private readonly avatars: AvatarsService,
    private readonly mailFiles: MailFilesService,
    private readonly events: SecurityEvents,
  ) {}

  /**
   * Deletes the account and, through foreign keys, everything that belongs to it: identities, sessions,
   * links, mails, roles. Its mail and handle become free; its id is not reused. Deleting a deleted account
   * does nothing.
   * @throws PlutoError forbidden for the last administrator
   */
  async delete(userId: number, context: RequestContext): Promise<void> {
    await this.transactions.runFor(context, async (manager) => {
      // Written first, so that no concurrent upload sets a picture after the row is read.
      await manager.update(User, { id: userId }, { updatedAt: nowSeconds() });
      const user = await manager.findOneBy(User, { id: userId });
      if (!user) return;
      const application = await this.applications.getById(user.applicationId, manager);
      const remove = () => this.remove(manager, user);
      if (application.nameKey === PLUTO.application) await this.administrators.keepOne(manager, remove);
      else await remove();
    });
  }

  /** Deletes mail files of accounts that were deleted while the file was written, or just before a crash. */
  async removeOrphanedMailFiles(): Promise<void> {
    await this.mailFiles.removeOf(await this.accounts.missing(await this.mailFiles.userIds()));
  }

  private async remove(manager: EntityManager, { id, applicationId, avatarFile }: User): Promise<void> {
    await manager.delete(User, { id });
    await this.events.publish(manager, {
      type: 'account.deleted',
      applicationId,
      userId: id,
      detail: { reason: 'request' },
    });
    const requestId = requestContextOf(manager)?.requestId;
    afterCommit(manager, async () => {
      this.logger.log({ msg: 'account deleted', userId: id, requestId });
      if (avatarFile !== null) await this.avatars.discard(avatarFile);
      await this.mailFiles.removeOf([id]);
    });
  }
}
