import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { PassportModule } from '@nestjs/passport';
import { HousekeepingSteps } from '../housekeeping/housekeeping-steps.js';
import { RbacModule } from '../rbac/rbac.module.js';
import { AccessTokenGuard } from './access-token.guard.js';
import { AccessTokenStrategy } from './access-token.strategy.js';
import { AccountSessions } from './account-sessions.service.js';
import { AccountSessionsController } from './account-sessions.controller.js';
import { AccessTokensService } from './access-tokens.service.js';
import { KeyRotationService } from './key-rotation.service.js';
import { KeySetController } from './key-set.controller.js';
import { AdminGuard, UserGuard } from './pluto-scope.guard.js';
import { PageSessionsService } from './page-sessions.service.js';
import { RecentSignInGuard } from './recent-sign-in.guard.js';
import { RefreshService } from './refresh.service.js';
import { RefreshTokensService } from './refresh-tokens.service.js';
import { SessionsService } from './sessions.service.js';
import { SigningKeysService } from './signing-keys.service.js';
import { TokenController } from './token.controller.js';
import { TokenIssuerService } from './token-issuer.service.js';
import { VerifiedTokens } from './verified-tokens.js';

@Module({
  imports: [RbacModule, PassportModule],
  controllers: [TokenController, KeySetController, AccountSessionsController],
  providers: [
    AccessTokenStrategy,
    AccessTokensService,
    AccountSessions,
    KeyRotationService,
    PageSessionsService,
    RefreshService,
    RefreshTokensService,
    SessionsService,
    SigningKeysService,
    TokenIssuerService,
    VerifiedTokens,
    // Global guards, in this order: authentication before authorization.
    { provide: APP_GUARD, useClass: AccessTokenGuard },
    { provide: APP_GUARD, useClass: RecentSignInGuard },
    { provide: APP_GUARD, useClass: UserGuard },
    { provide: APP_GUARD, useClass: AdminGuard },
  ],
  exports: [
    AccessTokensService,
    KeyRotationService,
    PageSessionsService,
    RefreshService,
    SessionsService,
    SigningKeysService,
    TokenIssuerService,
  ],
})
export class TokenModule {
  constructor(
    steps: HousekeepingSteps,
    pageSessions: PageSessionsService,
    sessions: SessionsService,
    keys: KeyRotationService,
  ) {
    steps.register(
      { name: 'browser sessions', run: (signal) => pageSessions.purgeExpired(signal) },
      { name: 'sessions', run: (signal) => sessions.purgeExpired(signal) },
      { name: 'signing keys', run: (signal) => keys.purgeRetired(signal) },
    );
  }
}
