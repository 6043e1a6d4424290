import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { JwtModule, type JwtModuleOptions } from '@nestjs/jwt';
import { PassportModule } from '@nestjs/passport';
import { RbacModule } from '../rbac/rbac.module.js';
import { AccessTokenGuard } from './access-token.guard.js';
import { AccessTokenStrategy } from './access-token.strategy.js';
import { AccessTokensService } from './access-tokens.service.js';
import { KeyRotationService } from './key-rotation.service.js';
import { KeySetController } from './key-set.controller.js';
import { AdminGuard, UserGuard } from './pluto-scope.guard.js';
import { PageSessionsService } from './page-sessions.service.js';
import { RefreshService } from './refresh.service.js';
import { RefreshTokensService } from './refresh-tokens.service.js';
import { SessionsService } from './sessions.service.js';
import { SigningKeysService } from './signing-keys.service.js';
import { TokenController } from './token.controller.js';
import { TokenIssuerService } from './token-issuer.service.js';
import { VerifiedTokens } from './verified-tokens.js';

@Module({
  providers: [KeyRotationService, SigningKeysService],
  exports: [KeyRotationService, SigningKeysService],
})
class SigningKeysModule {}

@Module({
  imports: [
    RbacModule,
    SigningKeysModule,
    PassportModule,
    JwtModule.registerAsync({
      imports: [SigningKeysModule],
      inject: [SigningKeysService],
      useFactory: jwtOptions,
    }),
  ],
  controllers: [TokenController, KeySetController],
  providers: [
    AccessTokenStrategy,
    AccessTokensService,
    PageSessionsService,
    RefreshService,
    RefreshTokensService,
    SessionsService,
    TokenIssuerService,
    VerifiedTokens,
    // Global, in this order: who is it, then what may it do.
    { provide: APP_GUARD, useClass: AccessTokenGuard },
    { provide: APP_GUARD, useClass: UserGuard },
    { provide: APP_GUARD, useClass: AdminGuard },
  ],
  exports: [
    AccessTokensService,
    PageSessionsService,
    RefreshService,
    SessionsService,
    SigningKeysModule,
    TokenIssuerService,
  ],
})
export class TokenModule {}

function jwtOptions(keys: SigningKeysService): JwtModuleOptions {
  return {
    verifyOptions: { algorithms: ['RS256'] },
    secretOrKeyProvider: (_type, token) => keys.verificationKeyOf(typeof token === 'string' ? token : ''),
  };
}
