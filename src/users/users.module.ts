import { Module } from '@nestjs/common';
import { HousekeepingSteps } from '../housekeeping/housekeeping-steps.js';
import { MailModule } from '../mail/mail.module.js';
import { RbacModule } from '../rbac/rbac.module.js';
import { AccountDeletionService } from './account-deletion.service.js';
import { AccountsService } from './accounts.service.js';
import { AvatarsService } from './avatars.service.js';
import { MailIdentitiesService } from './mail-identities.service.js';
import { PendingMailsService } from './pending-mails.service.js';
import { ProfileService } from './profile.service.js';
import { ProviderIdentitiesService } from './provider-identities.service.js';
import { SearchIndex } from './search-index.service.js';
import { UserAdministrationController } from './user-administration.controller.js';
import { UserDirectoryService } from './user-directory.service.js';
import { UserRoleController } from './user-role.controller.js';
import { UserRoleAssignmentService } from './user-role-assignment.service.js';
import { UserController } from './user.controller.js';

@Module({
  imports: [MailModule, RbacModule],
  controllers: [UserController, UserAdministrationController, UserRoleController],
  providers: [
    AccountDeletionService,
    AccountsService,
    AvatarsService,
    MailIdentitiesService,
    PendingMailsService,
    ProfileService,
    ProviderIdentitiesService,
    SearchIndex,
    UserDirectoryService,
    UserRoleAssignmentService,
  ],
  exports: [
    AccountsService,
    AvatarsService,
    MailIdentitiesService,
    PendingMailsService,
    ProviderIdentitiesService,
    UserRoleAssignmentService,
  ],
})
export class UsersModule {
  constructor(
    steps: HousekeepingSteps,
    avatars: AvatarsService,
    deletions: AccountDeletionService,
    searchIndex: SearchIndex,
  ) {
    steps.register({ name: 'search index', run: (signal) => searchIndex.repair(signal) });
    steps.registerLocal(
      { name: 'avatars', run: () => avatars.sweep() },
      { name: 'mail files', run: () => deletions.removeOrphanedMailFiles() },
    );
  }
}
