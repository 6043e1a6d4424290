import { Global, Module } from '@nestjs/common';
import { HousekeepingSteps } from '../housekeeping/housekeeping-steps.js';
import { AuthModule } from '../auth/auth.module.js';
import { RbacModule } from '../rbac/rbac.module.js';
import { ClientGate } from '../token/client-gate.js';
import { TokenModule } from '../token/token.module.js';
import { UsersModule } from '../users/users.module.js';
import { AuthorizationCodesService } from './authorization-codes.service.js';
import { AuthorizationService } from './authorization.service.js';
import { ClientApplicationsService } from './client-applications.service.js';
import { ClientsController } from './clients.controller.js';
import { ClientsService } from './clients.service.js';
import { AuthorizationCodeGrant } from './grants/authorization-code.grant.js';
import { ClientCredentialsGrant } from './grants/client-credentials.grant.js';
import { PasswordGrant } from './grants/password.grant.js';
import { RefreshTokenGrant } from './grants/refresh-token.grant.js';
import { TokensController } from './tokens.controller.js';

/** Global only because the token module's guards need `ClientGate`. */
@Global()
@Module({
  imports: [AuthModule, RbacModule, TokenModule, UsersModule],
  controllers: [TokensController, ClientsController],
  providers: [
    AuthorizationCodeGrant,
    AuthorizationCodesService,
    AuthorizationService,
    ClientApplicationsService,
    ClientCredentialsGrant,
    ClientsService,
    { provide: ClientGate, useExisting: ClientsService },
    PasswordGrant,
    RefreshTokenGrant,
  ],
  exports: [AuthorizationCodesService, AuthorizationService, ClientGate],
})
export class OAuthModule {
  constructor(steps: HousekeepingSteps, codes: AuthorizationCodesService) {
    steps.register({ name: 'authorization codes', run: (signal) => codes.purgeExpired(signal) });
  }
}
