import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Principal } from '../../common/access.js';
import type { Caller } from '../../common/caller.js';
import { PlutoError } from '../../common/errors.js';
import { Transactions } from '../../database/transactions.js';
import { SessionsService } from '../../token/sessions.service.js';
import { AccountsService } from '../../users/accounts.service.js';
import type { ProviderType } from '../../users/identity.entity.js';
import { ProviderIdentitiesService } from '../../users/provider-identities.service.js';
import { AppleGrantsService } from '../providers/apple/apple-grants.service.js';
import { IdentityProviders } from '../providers/identity-providers.service.js';
import { PasswordLoginService } from '../password/password-login.service.js';

export type Proof = { password: string } | { type: ProviderType; credential: string };

/** Lets the owner of a session prove to be there again, which counts as a recent sign-in. */
@Injectable()
export class ReauthenticationService {
  constructor(
    private readonly transactions: Transactions,
    private readonly accounts: AccountsService,
    private readonly logins: PasswordLoginService,
    private readonly providers: IdentityProviders,
    private readonly identities: ProviderIdentitiesService,
    private readonly appleGrants: AppleGrantsService,
    private readonly sessions: SessionsService,
  ) {}

  /**
   * @throws PlutoError passwordNotSet | invalidPassword | bindNotExist if the person at the provider is not
   *   bound to the account | tooManyRequests | like the provider's sign-in
   */
  async reauthenticate(principal: Principal, proof: Proof, caller: Caller): Promise<void> {
    if ('password' in proof) await this.byPassword(principal, proof.password, caller);
    else await this.byProvider(principal, proof, caller);
  }

  /** Guessing is limited and recorded as at a sign-in. */
  private async byPassword(principal: Principal, password: string, caller: Caller): Promise<void> {
    const { userId, applicationName } = principal;
    const user = await this.accounts.find(userId);
    if (!user) throw new PlutoError('invalidAccessToken');
    if (user.passwordHash === null) throw new PlutoError('passwordNotSet');
    const credentials = { applicationName, account: user.handle, password, caller, device: {} };
    const proof = await this.logins.prove(credentials);
    if (proof.userId !== userId) throw new PlutoError('invalidPassword');
    await this.transactions.runFor(caller, async (manager) => {
      await this.logins.authenticate(manager, proof);
      await this.note(manager, principal);
    });
  }

  private async byProvider(
    principal: Principal,
    { type, credential }: { type: ProviderType; credential: string },
    caller: Caller,
  ): Promise<void> {
    const { userId, applicationId, applicationName } = principal;
    const application = { id: applicationId, name: applicationName };
    const person = await this.providers.get(type).identify(application, credential);
    await this.transactions.runFor(caller, async (manager) => {
      if (!(await this.accounts.lock(manager, userId))) throw new PlutoError('invalidAccessToken');
      const identity = await this.identities.find(manager, { applicationId, type }, person);
      if (identity?.userId !== userId) throw new PlutoError('bindNotExist');
      if (person.grant) await this.appleGrants.keep(manager, identity, person.grant);
      await this.note(manager, principal);
    });
  }

  private async note(manager: EntityManager, { sessionId }: Principal): Promise<void> {
    if (!(await this.sessions.noteAuthentication(manager, sessionId)))
      throw new PlutoError('invalidAccessToken');
  }
}
