import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Principal } from '../../common/access.js';
import type { Caller } from '../../common/caller.js';
import { PlutoError } from '../../common/errors.js';
import type { RequestContext } from '../../common/request-context.js';
import { nowSeconds } from '../../common/time.js';
import { Settings } from '../../config/settings.js';
import { SecurityEvents } from '../../events/security-events.js';
import { RetryTransaction, Transactions } from '../../database/transactions.js';
import { ApplicationsService } from '../../applications/applications.service.js';
import { SessionsService } from '../../token/sessions.service.js';
import { AccountsService } from '../../users/accounts.service.js';
import type { Identity, LoginType, ProviderType } from '../../users/identity.entity.js';
import { MailIdentitiesService } from '../../users/mail-identities.service.js';
import { PendingMailsService } from '../../users/pending-mails.service.js';
import { ProviderIdentitiesService } from '../../users/provider-identities.service.js';
import { AppleGrantsService } from '../providers/apple/apple-grants.service.js';
import { LinkMailsService } from '../links/link-mails.service.js';
import { MailLimitsService } from '../links/mail-limits.service.js';
import { IdentityProviders } from '../providers/identity-providers.service.js';

type Account = Pick<Principal, 'userId' | 'applicationId' | 'applicationName'>;

/** Adds ways to sign in to accounts, and removes them. */
@Injectable()
export class BindingsService {
  constructor(
    private readonly transactions: Transactions,
    private readonly applications: ApplicationsService,
    private readonly accounts: AccountsService,
    private readonly mails: MailIdentitiesService,
    private readonly pending: PendingMailsService,
    private readonly identities: ProviderIdentitiesService,
    private readonly sessions: SessionsService,
    private readonly providers: IdentityProviders,
    private readonly appleGrants: AppleGrantsService,
    private readonly linkMails: LinkMailsService,
    private readonly mailLimits: MailLimitsService,
    private readonly events: SecurityEvents,
    private readonly settings: Settings,
  ) {}

  /**
   * Binds a mail, which takes effect once the link sent to it has been used. Until then another mail may
   * replace it, with a new link; binding the same mail again sends another link and prolongs its lifetime.
   * @throws PlutoError bindExists | mailAlreadyRegistered | tooManyRequests
   */
  async bindMail({ userId, applicationId }: Account, mail: string, caller: Caller): Promise<void> {
    const bind = () => this.bindAddress({ userId, applicationId }, mail, caller);
    if (this.settings.skipRegisterVerifyMail) return bind();
    await this.mailLimits.whileLeft('verify-mail', { applicationId, mail, caller }, bind);
  }

  /**
   * Binds an account at a provider.
   * @param credential Google: the ID token; Apple and WeChat: the authorization code
   * @throws PlutoError bindExists | forbidden | invalidGoogleIdToken | invalidAppleIdToken |
   *   invalidWechatCode | serviceUnavailable
   */
  async bindProvider(
    account: Account,
    type: ProviderType,
    credential: string,
    context: RequestContext,
  ): Promise<void> {
    const { userId, applicationId, applicationName } = account;
    // An early check that saves the code; the unique key decides.
    if (await this.findBinding(undefined, userId, type)) throw new PlutoError('bindExists');
    const application = { id: applicationId, name: applicationName };
    const person = await this.providers.get(type).identify(application, credential);
    await this.change(userId, context, async (manager) => {
      const identity = await this.identities.add(manager, { applicationId, type, userId }, person);
      if (person.grant) await this.appleGrants.keep(manager, identity, person.grant);
      const detail = { provider: type };
      await this.events.publish(manager, { type: 'provider.bound', applicationId, userId, detail });
    });
  }

  /**
   * Removes a way to sign in, with the links that were mailed to it and the sessions that came in by it,
   * except the one that asks. One usable way must remain: a confirmed mail, or a provider that is configured
   * for the application.
   * @throws PlutoError bindNotExist | cannotUnbindLast
   */
  async unbind(principal: Principal, type: LoginType, context: RequestContext): Promise<void> {
    const { userId, applicationId, sessionId } = principal;
    const providers: LoginType[] = await this.providers.configuredFor(applicationId);
    const usableTypes = ['mail', ...providers];
    await this.change(userId, context, async (manager) => {
      const bound = await this.accounts.identitiesOf(userId, manager);
      const binding = bound.find(({ loginType }) => loginType === type);
      if (!binding) throw new PlutoError('bindNotExist');
      const others = bound.filter(({ loginType }) => loginType !== type);
      const isUsable = ({ loginType, isVerified }: Identity) => isVerified && usableTypes.includes(loginType);
      // Nobody can sign in by an unconfirmed mail.
      const isLast = binding.isVerified ? !others.some(isUsable) : others.length === 0;
      if (isLast) throw new PlutoError('cannotUnbindLast');
      if (type === 'mail') await this.mails.remove(manager, binding);
      else await this.identities.remove(manager, binding);
      const signedInBy = type === 'mail' ? 'password' : type;
      await this.sessions.endSignedInBy(manager, { userId, signedInBy }, sessionId);
      const place = { applicationId, userId, formerMail: binding.isVerified ? binding.mail : undefined };
      await this.events.publish(
        manager,
        type === 'mail'
          ? { type: 'mail.unbound', ...place, detail: {} }
          : { type: 'provider.unbound', ...place, detail: { provider: type } },
      );
    });
  }

  private async bindAddress(
    { userId, applicationId }: Pick<Account, 'userId' | 'applicationId'>,
    mail: string,
    caller: Caller,
  ): Promise<void> {
    const application = await this.applications.getById(applicationId);
    await this.change(userId, caller, async (manager) => {
      const user = await this.accounts.find(userId, manager);
      if (!user) throw new PlutoError('invalidAccessToken');
      const bound = await this.findBinding(manager, userId, 'mail');
      if (bound?.isVerified) throw new PlutoError('bindExists');
      // Case-sensitive: a link proves only the exact address that it was sent to.
      const isSame = bound?.mail === mail;
      if (bound && !isSame) {
        await retryUnless(this.pending.remove(manager, bound));
        await this.events.publish(manager, { type: 'mail.unbound', applicationId, userId, detail: {} });
      }
      await this.mails.assertFree(manager, applicationId, mail);
      const until = nowSeconds() + this.settings.verifyTokenTtlSeconds;
      if (bound && isSame) await retryUnless(this.pending.renew(manager, bound, until));
      const claim = { mail, until, searchKey: '' };
      const identity = bound && isSame ? bound : await this.pending.claim(manager, user, claim);
      if (!isSame)
        await this.events.publish(manager, { type: 'mail.bound', applicationId, userId, detail: {} });
      if (this.settings.skipRegisterVerifyMail) await this.confirmUnverified(manager, identity);
      else await this.linkMails.queueVerification(manager, { user, identity }, application, caller);
    });
  }

  /** As SKIP_REGISTER_VERIFY_MAIL says. */
  private async confirmUnverified(manager: EntityManager, identity: Identity): Promise<void> {
    const { userId, applicationId } = identity;
    await retryUnless(this.mails.confirm(manager, identity));
    await this.events.publish(manager, { type: 'mail.confirmed', applicationId, userId, detail: {} });
  }

  /** Serializes changes to the bindings of one account. */
  private async change(
    userId: number,
    context: RequestContext,
    work: (manager: EntityManager) => Promise<void>,
  ): Promise<void> {
    await this.transactions.runFor(context, async (manager) => {
      if (!(await this.accounts.lock(manager, userId))) throw new PlutoError('invalidAccessToken');
      await work(manager);
    });
  }

  private async findBinding(
    manager: EntityManager | undefined,
    userId: number,
    type: LoginType,
  ): Promise<Identity | null> {
    const bound = await this.accounts.identitiesOf(userId, manager);
    return bound.find(({ loginType }) => loginType === type) ?? null;
  }
}

/** If the mail was confirmed or taken over concurrently, the next attempt sees that. */
async function retryUnless(isStillPending: Promise<boolean>): Promise<void> {
  if (!(await isStillPending)) throw new RetryTransaction();
}
