import { Injectable } from '@nestjs/common';
import { PasswordLoginService } from '../../auth/password/password-login.service.js';
import { Transactions } from '../../database/transactions.js';
import { parseScopes } from '../../rbac/effective-scopes.js';
import { TokenIssuerService, type TokenPair } from '../../token/token-issuer.service.js';
import { ClientsService } from '../clients.service.js';
import type { Grant, TokenRequest } from './grant.js';

/**
 * Issues tokens for a user's password.
 * @see RFC 6749 section 4.3
 */
@Injectable()
export class PasswordGrant implements Grant {
  constructor(
    private readonly logins: PasswordLoginService,
    private readonly transactions: Transactions,
    private readonly clients: ClientsService,
    private readonly tokens: TokenIssuerService,
  ) {}

  /** @throws PlutoError applicationNotExist | invalidPassword | mailNotVerified | invalidClient */
  async issue({ client, parameters, caller }: TokenRequest): Promise<TokenPair> {
    const credentials = {
      applicationName: parameters.required('app_id'),
      account: parameters.required('user'),
      password: parameters.password(),
      caller,
      device: { id: parameters.deviceId },
    };
    const requested = parseScopes(parameters.scopes);
    const proof = await this.logins.prove(credentials);
    const session = await this.transactions.runFor(caller, async (manager) => {
      await this.clients.lockApproved(manager, client);
      await this.logins.authenticate(manager, proof);
      return this.tokens.openSession(manager, {
        userId: proof.userId,
        application: proof.application,
        client: { key: client.key, requested },
        deviceId: credentials.device.id,
        caller,
      });
    });
    return this.tokens.sign(session);
  }
}
