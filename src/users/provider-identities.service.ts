import { randomInt } from 'node:crypto';
import { Injectable, Logger } from '@nestjs/common';
import { In, type EntityManager } from 'typeorm';
import { PlutoError } from '../common/errors.js';
import { isLine, isName } from '../common/text-checks.js';
import { mailKey } from '../common/mail-addresses.js';
import { nowSeconds } from '../common/time.js';
import { isForeignKeyViolation, violatedUniqueKey } from '../database/constraints.js';
import { SecurityEvents } from '../events/security-events.js';
import { afterCommit, requestContextOf, RetryTransaction } from '../database/transactions.js';
import { AccountsService } from './accounts.service.js';
import { parseAvatar } from './avatar-input.js';
import { Identity, type ProviderType } from './identity.entity.js';
import { ProviderSubject } from './provider-subject.entity.js';
import { SearchIndex } from './search-index.service.js';

/** A provider's claims about a person; `''` for missing ones. */
export interface IdentityClaims {
  /** The provider's identifiers of the person, the most reliable first. */
  subjects: [string, ...string[]];
  /** Only if the provider has verified it. */
  mail: string;
  name: string;
  avatarUrl: string;
}

interface ProviderScope {
  applicationId: number;
  type: ProviderType;
}

const HANDLE_ALPHABET = 'abcdefghijkmnpqrstuvwxyz23456789';
const HANDLE_LETTERS = 12;
const NAME_MAX = 60;

/** Maps people at providers to accounts. */
@Injectable()
export class ProviderIdentitiesService {
  private readonly logger = new Logger('Accounts');

  constructor(
    private readonly accounts: AccountsService,
    private readonly events: SecurityEvents,
    private readonly searchIndex: SearchIndex,
  ) {}

  /**
   * Finds the identity of a person, or creates an account. Never matches an existing account by mail alone.
   * The account is locked until the end of the transaction.
   */
  async findOrCreate(
    manager: EntityManager,
    place: ProviderScope,
    person: IdentityClaims,
  ): Promise<Identity> {
    const known = await this.findSubjects(manager, place, person);
    const identity = await this.firstIdentity(manager, known, person);
    if (!identity) return this.create(manager, place, person);
    await this.refresh(manager, identity, person);
    await this.adopt(manager, identity, known, person);
    return identity;
  }

  /**
   * Adds an identity to an account that the caller has locked.
   * @throws PlutoError bindExists, if the account has an identity at the provider or the person already has
   *   an account
   */
  async add(
    manager: EntityManager,
    place: ProviderScope & { userId: number },
    person: IdentityClaims,
  ): Promise<Identity> {
    try {
      return await this.insert(manager, place, person);
    } catch (error) {
      if (violatedUniqueKey(error) !== null) throw new PlutoError('bindExists', { cause: error });
      throw error;
    }
  }

  /** The identity of a person; null without an account. */
  async find(manager: EntityManager, place: ProviderScope, person: IdentityClaims): Promise<Identity | null> {
    return this.firstIdentity(manager, await this.findSubjects(manager, place, person), person);
  }

  async remove(manager: EntityManager, { id, userId }: Identity): Promise<void> {
    await manager.delete(Identity, { id });
    await this.searchIndex.refresh(manager, userId);
  }

  private findSubjects(
    manager: EntityManager,
    { applicationId, type }: ProviderScope,
    { subjects }: IdentityClaims,
  ): Promise<ProviderSubject[]> {
    return manager.findBy(ProviderSubject, { applicationId, loginType: type, subject: In(subjects) });
  }

  private async firstIdentity(
    manager: EntityManager,
    known: ProviderSubject[],
    { subjects }: IdentityClaims,
  ): Promise<Identity | null> {
    const [first] = subjects.flatMap((subject) => known.find((row) => row.subject === subject) ?? []);
    return first ? manager.findOneBy(Identity, { id: first.identityId }) : null;
  }

  /**
   * Locks account and identity, in the same order as a deletion, and retries if either was deleted meanwhile.
   */
  private async refresh(manager: EntityManager, identity: Identity, { mail }: IdentityClaims): Promise<void> {
    const { id, userId } = identity;
    const changes = mail === '' ? {} : { mail, mailKey: mailKey(mail) };
    const isLocked = await this.accounts.lock(manager, userId);
    // A provider's identity is always confirmed: without a mail this only checks that it still exists.
    const { affected } = await manager.update(Identity, { id, userId }, { isVerified: true, ...changes });
    if (!isLocked || affected !== 1) throw new RetryTransaction();
    if (mail !== '' && mailKey(mail) !== identity.mailKey) await this.searchIndex.refresh(manager, userId);
  }

  /** Stores subjects that are new: the openid of another app, or a union id not sent before. */
  private async adopt(
    manager: EntityManager,
    identity: Identity,
    known: ProviderSubject[],
    { subjects }: IdentityClaims,
  ): Promise<void> {
    const foreign = known.filter(({ identityId }) => identityId !== identity.id);
    if (foreign.length > 0) {
      const warning = {
        msg: 'one person at a provider has two accounts, created before the provider linked their ids',
        requestId: requestContextOf(manager)?.requestId,
        loginType: identity.loginType,
        userId: identity.userId,
        otherIdentityIds: foreign.map(({ identityId }) => identityId),
      };
      afterCommit(manager, () => this.logger.warn(warning));
    }
    const missing = subjects.filter((subject) => !known.some((row) => row.subject === subject));
    await retryIfRaced(() => this.insertSubjects(manager, identity, missing));
  }

  private async create(
    manager: EntityManager,
    place: ProviderScope,
    person: IdentityClaims,
  ): Promise<Identity> {
    const handle = generateHandle();
    return retryIfRaced(async () => {
      const user = await this.accounts.create(manager, {
        applicationId: place.applicationId,
        handle,
        isHandleGenerated: true,
        name: fittingName(person.name) || handle,
        avatarUrl: fittingAvatarUrl(person.avatarUrl),
        passwordHash: null,
      });
      const identity = await this.insert(manager, { ...place, userId: user.id }, person);
      await this.events.publish(manager, {
        type: 'account.registered',
        applicationId: place.applicationId,
        userId: user.id,
        detail: { method: place.type },
      });
      return identity;
    });
  }

  private async insert(
    manager: EntityManager,
    { applicationId, type, userId }: ProviderScope & { userId: number },
    { subjects, mail }: IdentityClaims,
  ): Promise<Identity> {
    const identity = await manager.save(Identity, {
      userId,
      applicationId,
      loginType: type,
      subjectKey: subjects[0],
      mail,
      mailKey: mailKey(mail),
      isVerified: true,
      createdAt: nowSeconds(),
    });
    await this.insertSubjects(manager, identity, subjects);
    await this.searchIndex.refresh(manager, userId);
    return identity;
  }

  private async insertSubjects(
    manager: EntityManager,
    { id, applicationId, loginType }: Identity,
    subjects: string[],
  ): Promise<void> {
    for (const subject of subjects)
      await manager.insert(ProviderSubject, {
        identityId: id,
        applicationId,
        loginType: loginType as ProviderType,
        subject,
        createdAt: nowSeconds(),
      });
  }
}

/**
 * The person signed in or was deleted concurrently, or a generated handle was taken: the next attempt sees
 * it.
 */
async function retryIfRaced<T>(insert: () => Promise<T>): Promise<T> {
  try {
    return await insert();
  } catch (error) {
    if (violatedUniqueKey(error) !== null || isForeignKeyViolation(error)) throw new RetryTransaction();
    throw error;
  }
}

/** `user-` and 60 random bits; the user can change it. */
function generateHandle(): string {
  const letters = Array.from(
    { length: HANDLE_LETTERS },
    () => HANDLE_ALPHABET[randomInt(HANDLE_ALPHABET.length)],
  );
  return `user-${letters.join('')}`;
}

/**
 * What fits of a name: no control characters and half surrogates, cut at its maximum; `''` if nothing can be
 * seen of it.
 */
function fittingName(name: string): string {
  const clean = name
    .replace(/[\p{Cc}\p{Surrogate}\u2028\u2029]+/gu, ' ')
    .replace(/ {2,}/g, ' ')
    .trim();
  const letters = [...new Intl.Segmenter('und', { granularity: 'grapheme' }).segment(clean)];
  let fitting = '';
  for (const { segment } of letters) {
    if (!isLine(fitting + segment, NAME_MAX)) break;
    fitting += segment;
  }
  return isName(fitting, NAME_MAX) ? fitting.trim() : '';
}

function fittingAvatarUrl(url: string): string {
  try {
    const avatar = parseAvatar(url);
    return avatar.kind === 'url' ? avatar.url : '';
  } catch (error) {
    if (error instanceof PlutoError) return '';
    throw error;
  }
}
