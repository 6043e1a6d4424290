import { Module } from '@nestjs/common';
import { RbacModule } from '../rbac/rbac.module.js';
import { AccountDeletionService } from './account-deletion.service.js';
import { AccountsService } from './accounts.service.js';
import { AvatarsService } from './avatars.service.js';
import { ProfileService } from './profile.service.js';
import { UserController } from './user.controller.js';

@Module({
  imports: [RbacModule],
  controllers: [UserController],
  providers: [AccountDeletionService, AccountsService, AvatarsService, ProfileService],
  exports: [AccountsService, AvatarsService],
})
export class UsersModule {}
