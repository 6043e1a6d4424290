import { Module } from '@nestjs/common';
import { MailModule } from '../mail/mail.module.js';
import { RbacModule } from '../rbac/rbac.module.js';
import { TokenModule } from '../token/token.module.js';
import { UsersModule } from '../users/users.module.js';
import { AdministratorAccountsService } from './administrator-accounts.service.js';
import { AuthController } from './auth.controller.js';
import { FirstStartService } from './first-start.service.js';
import { LinkMailsService } from './link-mails.service.js';
import { MailVerificationService } from './mail-verification.service.js';
import { OneTimeTokensService } from './one-time-tokens.service.js';
import { PasswordHasher } from './password-hasher.service.js';
import { PasswordLoginService } from './password-login.service.js';
import { PasswordResetService } from './password-reset.service.js';
import { RegistrationService } from './registration.service.js';

@Module({
  imports: [MailModule, RbacModule, TokenModule, UsersModule],
  controllers: [AuthController],
  providers: [
    AdministratorAccountsService,
    FirstStartService,
    LinkMailsService,
    MailVerificationService,
    OneTimeTokensService,
    PasswordHasher,
    PasswordLoginService,
    PasswordResetService,
    RegistrationService,
  ],
  exports: [
    AdministratorAccountsService,
    FirstStartService,
    MailVerificationService,
    OneTimeTokensService,
    PasswordResetService,
    RegistrationService,
  ],
})
export class AuthModule {}
