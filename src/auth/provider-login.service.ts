import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Caller } from '../common/caller.js';
import type { Application } from '../rbac/application.entity.js';
import { ApplicationsService } from '../rbac/applications.service.js';
import { TokenIssuerService, type TokenPair } from '../token/token-issuer.service.js';
import type { ProviderType } from '../users/identity.entity.js';
import { ProviderIdentitiesService } from '../users/provider-identities.service.js';
import { AppleGrantsService } from './apple-grants.service.js';
import type { ProvenPerson } from './providers/identity-provider.js';
import { IdentityProviders } from './providers/identity-providers.service.js';

export interface ProviderLogin {
  applicationName: string;
  type: ProviderType;
  /** Google: the ID token; Apple and WeChat: the authorization code. */
  credential: string;
  deviceId: string | undefined;
  /** What the app calls the person, where the provider tells no name. */
  name?: string | undefined;
}

interface SignIn {
  deviceId?: string | undefined;
  caller: Caller;
  /** False where the refresh token is given to nobody. */
  isRefreshable?: boolean;
}

/** Signs people in who have proved to a provider who they are; the first time makes their account. */
@Injectable()
export class ProviderLoginService {
  constructor(
    private readonly applications: ApplicationsService,
    private readonly providers: IdentityProviders,
    private readonly identities: ProviderIdentitiesService,
    private readonly appleGrants: AppleGrantsService,
    private readonly tokens: TokenIssuerService,
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
    const person = await this.providers.get(type).identify(application, credential);
    return this.signIn(application, type, { ...person, name: person.name || name }, { deviceId, caller });
  }

  /** Opens a session for the account of a person whom a provider has vouched for, in one transaction with the account. */
  signIn(
    application: Application,
    type: ProviderType,
    person: ProvenPerson,
    { deviceId, caller, isRefreshable = true }: SignIn,
  ): Promise<TokenPair> {
    return this.tokens.openSession({
      application,
      deviceId,
      caller,
      isRefreshable,
      authenticate: (manager) => this.authenticate(manager, application, type, person),
    });
  }

  /** Finds or makes the account of such a person, and locks it. @returns the account's id */
  async authenticate(
    manager: EntityManager,
    { id: applicationId }: Application,
    type: ProviderType,
    person: ProvenPerson,
  ): Promise<number> {
    const identity = await this.identities.findOrCreate(manager, { applicationId, type }, person);
    if (person.grant) await this.appleGrants.keep(manager, identity, person.grant);
    return identity.userId;
  }
}
