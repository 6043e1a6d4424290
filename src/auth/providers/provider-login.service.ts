import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Caller } from '../../common/caller.js';
import { PlutoError } from '../../common/errors.js';
import type { RequestContext } from '../../common/request-context.js';
import { SecurityEvents } from '../../events/security-events.js';
import { Transactions } from '../../database/transactions.js';
import type { Application } from '../../applications/application.entity.js';
import { ApplicationsService } from '../../applications/applications.service.js';
import { TokenIssuerService, type TokenPair } from '../../token/token-issuer.service.js';
import type { ProviderType } from '../../users/identity.entity.js';
import { ProviderIdentitiesService } from '../../users/provider-identities.service.js';
import { AppleGrantsService } from './apple/apple-grants.service.js';
import { deviceIdentifiers } from '../devices/device-identifiers.js';
import { KnownDevicesService } from '../devices/known-devices.service.js';
import type { ExternalIdentity } from './identity-provider.js';
import { IdentityProviders } from './identity-providers.service.js';

export interface ProviderLogin {
  applicationName: string;
  type: ProviderType;
  /** Google: the ID token; Apple and WeChat: the authorization code. */
  credential: string;
  deviceId: string | undefined;
  /** The name sent by the app, used if the provider sends none. */
  name?: string | undefined;
}

interface SignIn {
  deviceId?: string | undefined;
  caller: Caller;
  /** False if the refresh token is not handed out. */
  isRefreshable?: boolean;
}

/** Signs people in who have authenticated with a provider; the first sign-in creates their account. */
@Injectable()
export class ProviderLoginService {
  constructor(
    private readonly applications: ApplicationsService,
    private readonly providers: IdentityProviders,
    private readonly identities: ProviderIdentitiesService,
    private readonly appleGrants: AppleGrantsService,
    private readonly knownDevices: KnownDevicesService,
    private readonly tokens: TokenIssuerService,
    private readonly transactions: Transactions,
    private readonly events: SecurityEvents,
  ) {}

  /**
   * @throws PlutoError applicationNotExist | forbidden | invalidGoogleIdToken | invalidAppleIdToken |
   *   invalidWechatCode | serviceUnavailable
   */
  async login(
    { applicationName, type, credential, deviceId, name = '' }: ProviderLogin,
    caller: Caller,
  ): Promise<TokenPair> {
    const application = await this.applications.getByName(applicationName);
    const person = await this.providers
      .get(type)
      .identify(application, credential)
      .catch((error: unknown) => this.refused(application, type, error, caller));
    return this.signIn(application, type, { ...person, name: person.name || name }, { deviceId, caller });
  }

  /**
   * Finds or creates the account of a person authenticated by a provider and opens a session, in one
   * transaction.
   */
  async signIn(
    application: Application,
    type: ProviderType,
    person: ExternalIdentity,
    { deviceId, caller, isRefreshable = true }: SignIn,
  ): Promise<TokenPair> {
    const identifiers = deviceIdentifiers(caller, { id: deviceId });
    const session = await this.transactions.runFor(caller, async (manager) => {
      const userId = await this.authenticate(manager, application, type, { person, identifiers });
      const login = { userId, application, deviceId, caller, isRefreshable };
      return this.tokens.openSession(manager, { ...login, signedInBy: type });
    });
    return this.tokens.sign(session);
  }

  /** Records a sign-in that the provider refused. @throws `error`, always */
  async refused(
    { id: applicationId }: Application,
    method: ProviderType,
    error: unknown,
    context: RequestContext,
  ): Promise<never> {
    const isRefusal = error instanceof PlutoError && error.status === 403 && error.key !== 'forbidden';
    if (isRefusal) {
      const detail = { method, reason: 'credentials' as const };
      await this.transactions.runFor(context, (manager) =>
        this.events.publish(manager, { type: 'login.failed', applicationId, userId: null, detail }),
      );
    }
    throw error;
  }

  /**
   * Finds or creates the account of a person, and locks it.
   * @param identifiers of the device, see `deviceIdentifiers`
   * @returns the account's id
   */
  async authenticate(
    manager: EntityManager,
    { id: applicationId }: Application,
    type: ProviderType,
    { person, identifiers }: { person: ExternalIdentity; identifiers: string[] },
  ): Promise<number> {
    const identity = await this.identities.findOrCreate(manager, { applicationId, type }, person);
    if (person.grant) await this.appleGrants.keep(manager, identity, person.grant);
    const { userId } = identity;
    const isKnown = await this.knownDevices.remember(manager, userId, identifiers);
    const detail = { method: type, device: isKnown ? ('known' as const) : ('new' as const) };
    await this.events.publish(manager, { type: 'login.succeeded', applicationId, userId, detail });
    return userId;
  }
}
