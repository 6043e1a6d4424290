import { Module } from '@nestjs/common';
import { JwtModule } from '@nestjs/jwt';
import { HousekeepingSteps } from '../housekeeping/housekeeping-steps.js';
import { MailModule } from '../mail/mail.module.js';
import { RbacModule } from '../rbac/rbac.module.js';
import { TokenModule } from '../token/token.module.js';
import { UsersModule } from '../users/users.module.js';
import { AdministratorAccountsService } from './administrator-accounts.service.js';
import { AppleGrantsService } from './providers/apple/apple-grants.service.js';
import { AppleRevocationWorker } from './providers/apple/apple-revocation.worker.js';
import { AuthController } from './auth.controller.js';
import { BindingsController } from './bindings/bindings.controller.js';
import { BindingsService } from './bindings/bindings.service.js';
import { FirstStartService } from './first-start.service.js';
import { KnownDevicesService } from './devices/known-devices.service.js';
import { LinkMailsService } from './links/link-mails.service.js';
import { LinkRequestsService } from './links/link-requests.service.js';
import { LinkRequestsWorker } from './links/link-requests.worker.js';
import { MailLimitsService } from './links/mail-limits.service.js';
import { LoginAttempts } from './password/login-attempts.service.js';
import { LoginFailures } from './password/login-failures.service.js';
import { ChangeMailsService } from './mail-change/change-mails.service.js';
import { MailChangeController } from './mail-change/mail-change.controller.js';
import { MailChangeRecords } from './mail-change/mail-change-records.service.js';
import { LinkedChanges } from './mail-change/linked-changes.service.js';
import { MailChangeUndoService } from './mail-change/mail-change-undo.service.js';
import { MailChangesService } from './mail-change/mail-changes.service.js';
import { NoticeLimit } from './notices/notice-limit.service.js';
import { SecurityNotices } from './notices/security-notices.service.js';
import { MailVerificationService } from './registration/mail-verification.service.js';
import { OneTimeTokensService } from './links/one-time-tokens.service.js';
import { PageLoginService } from './password/page-login.service.js';
import { PasswordChangeController } from './password/password-change.controller.js';
import { PasswordChangeService } from './password/password-change.service.js';
import { PasswordHashParameters } from './password/password-hash-parameters.js';
import { PasswordHasher } from './password/password-hasher.service.js';
import { PasswordLoginService } from './password/password-login.service.js';
import { PasswordResetService } from './password/password-reset.service.js';
import { ProviderLoginController } from './providers/provider-login.controller.js';
import { ProviderLoginService } from './providers/provider-login.service.js';
import { AppleProvider } from './providers/apple/apple.provider.js';
import { GoogleProvider } from './providers/google/google.provider.js';
import { IdentityProviders } from './providers/identity-providers.service.js';
import { WechatBrowsers } from './providers/wechat/wechat-browsers.js';
import { WechatProvider } from './providers/wechat/wechat.provider.js';
import { ReauthenticationController } from './reauthentication/reauthentication.controller.js';
import { ReauthenticationService } from './reauthentication/reauthentication.service.js';
import { RegistrationService } from './registration/registration.service.js';
import { WechatWebLoginService } from './providers/wechat/wechat-web-login.service.js';

@Module({
  // For the client secrets that Apple accepts. Access tokens are signed and verified by `jose` alone.
  imports: [JwtModule.register({}), MailModule, RbacModule, TokenModule, UsersModule],
  controllers: [
    AuthController,
    ProviderLoginController,
    BindingsController,
    MailChangeController,
    PasswordChangeController,
    ReauthenticationController,
  ],
  providers: [
    AdministratorAccountsService,
    AppleGrantsService,
    AppleProvider,
    AppleRevocationWorker,
    BindingsService,
    ChangeMailsService,
    FirstStartService,
    GoogleProvider,
    IdentityProviders,
    KnownDevicesService,
    LinkMailsService,
    LinkRequestsService,
    LinkRequestsWorker,
    LoginAttempts,
    LoginFailures,
    LinkedChanges,
    MailChangeRecords,
    MailChangeUndoService,
    MailChangesService,
    MailLimitsService,
    MailVerificationService,
    NoticeLimit,
    OneTimeTokensService,
    PageLoginService,
    PasswordChangeService,
    PasswordHashParameters,
    PasswordHasher,
    PasswordLoginService,
    PasswordResetService,
    ProviderLoginService,
    ReauthenticationService,
    RegistrationService,
    SecurityNotices,
    WechatBrowsers,
    WechatProvider,
    WechatWebLoginService,
  ],
  exports: [
    AdministratorAccountsService,
    AppleGrantsService,
    AppleRevocationWorker,
    FirstStartService,
    KnownDevicesService,
    MailChangeUndoService,
    MailChangesService,
    LinkRequestsWorker,
    MailVerificationService,
    OneTimeTokensService,
    PageLoginService,
    PasswordHasher,
    PasswordLoginService,
    PasswordResetService,
    RegistrationService,
    WechatWebLoginService,
  ],
})
export class AuthModule {
  constructor(
    steps: HousekeepingSteps,
    registrations: RegistrationService,
    tokens: OneTimeTokensService,
    linkRequests: LinkRequestsService,
    wechatWebLogins: WechatWebLoginService,
    knownDevices: KnownDevicesService,
    notices: NoticeLimit,
    mailChanges: MailChangeRecords,
  ) {
    steps.register(
      { name: 'unconfirmed mails', run: (signal) => registrations.purgeAbandoned(signal) },
      { name: 'requests for links', run: (signal) => linkRequests.purgeForgotten(signal) },
      { name: 'mailed links', run: (signal) => tokens.purgeExpired(signal) },
      { name: 'states of sign-ins', run: (signal) => wechatWebLogins.purgeExpired(signal) },
      { name: 'known devices', run: (signal) => knownDevices.purgeExpired(signal) },
      { name: 'times of notices', run: (signal) => notices.purgeOld(signal) },
      { name: 'mail changes', run: (signal) => mailChanges.purgeOld(signal) },
    );
  }
}
