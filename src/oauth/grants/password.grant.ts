import { isIP } from 'node:net';
import { Injectable } from '@nestjs/common';
import { PasswordLoginService } from '../../auth/password/password-login.service.js';
import { badRequest } from '../../common/validation.pipe.js';
import { Settings } from '../../config/settings.js';
import { Transactions } from '../../database/transactions.js';
import { parseScopes } from '../../rbac/effective-scopes.js';
import { TokenIssuerService, type TokenPair } from '../../token/token-issuer.service.js';
import { ClientsService } from '../clients.service.js';
import type { OAuthClient } from '../oauth-client.entity.js';
import type { Grant, TokenParameters, TokenRequest } from './grant.js';

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
    private readonly settings: Settings,
  ) {}

  /** @throws PlutoError applicationNotExist | invalidPassword | mailNotVerified | invalidClient */
  async issue({ client, parameters, caller: sender }: TokenRequest): Promise<TokenPair> {
    const userAddress = this.userAddressOf(client, parameters);
    const caller = userAddress === undefined ? sender : { ...sender, address: userAddress };
    const credentials = {
      applicationName: parameters.required('app_id'),
      account: parameters.required('user'),
      password: parameters.password(),
      caller,
      clientKey: userAddress === undefined ? client.key : undefined,
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
        signedInBy: 'password',
      });
    });
    return this.tokens.sign(session);
  }

  /** The address of its user, if the client names it and TRUSTED_CLIENTS names the client. */
  private userAddressOf({ key }: OAuthClient, parameters: TokenParameters): string | undefined {
    const address = parameters.optional('user_address');
    if (address === undefined || !this.settings.trustedClients.includes(key)) return undefined;
    if (isIP(address) === 0) throw badRequest(['user_address must be an IP address']);
    return address;
  }
}
