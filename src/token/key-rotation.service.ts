import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import { Injectable } from '@nestjs/common';
import { calculateJwkThumbprint, exportJWK } from 'jose';
import { DataSource, LessThanOrEqual, type EntityManager } from 'typeorm';
import { seal } from '../common/crypto.js';
import type { RequestContext } from '../common/request-context.js';
import { nowSeconds } from '../common/time.js';
import { SecretKey } from '../config/secret-key.js';
import { Settings } from '../config/settings.js';
import { isUniqueViolation } from '../database/constraints.js';
import { SecurityEvents } from '../events/security-events.js';
import { Purge } from '../database/jobs/purge.js';
import { Transactions } from '../database/transactions.js';
import { SigningKey } from './signing-key.entity.js';
import { RELOAD_SECONDS, SIGNING_KEYS_PURPOSE } from './signing-keys.service.js';

/** A key pair not yet stored. */
export type KeyDraft = Pick<SigningKey, 'kid' | 'publicKey' | 'sealedPrivateKey'>;

export interface KeyListing {
  kid: string;
  state: 'next' | 'signing' | 'verifying' | 'retired';
  createdAt: number;
  signsFrom: number;
  verifiesUntil: number | null;
}

const RSA_BITS = 2048;
/** From publication to first use: by then all instances and other services have loaded the key. */
export const PUBLISH_LEAD_SECONDS = 600;

/** Creates, lists and deletes the key pairs that sign access tokens. */
@Injectable()
export class KeyRotationService {
  private readonly sealingKey: Buffer;

  constructor(
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly settings: Settings,
    private readonly events: SecurityEvents,
    private readonly purge: Purge,
    secretKey: SecretKey,
  ) {
    this.sealingKey = secretKey.derive(SIGNING_KEYS_PURPOSE);
  }

  /**
   * Creates the next key. It is published immediately and signs after `leadSeconds`; the current key verifies
   * until its last token has expired.
   * @throws Error if another key is already waiting to sign
   */
  async rotate(context: RequestContext | null, leadSeconds = PUBLISH_LEAD_SECONDS): Promise<KeyListing[]> {
    const draft = await this.draft();
    try {
      await this.transactions.runFor(context, async (manager) => {
        await this.add(manager, draft, leadSeconds);
        const detail = { kid: draft.kid };
        await this.events.publish(manager, {
          type: 'key.rotated',
          applicationId: null,
          userId: null,
          detail,
        });
      });
    } catch (error) {
      if (isUniqueViolation(error)) throw new Error('another key rotation is in progress', { cause: error });
      throw error;
    }
    return this.list();
  }

  /**
   * Plans again when the next key, which is published already, begins to sign.
   * @param leadSeconds by default until all instances and services know the key
   * @throws Error if no key is waiting to sign
   */
  async activate(context: RequestContext | null, leadSeconds?: number): Promise<KeyListing[]> {
    await this.transactions.runFor(context, async (manager) => {
      const detail = { kid: await this.planNext(manager, leadSeconds) };
      await this.events.publish(manager, {
        type: 'key.activated',
        applicationId: null,
        userId: null,
        detail,
      });
    });
    return this.list();
  }

  async list(): Promise<KeyListing[]> {
    const rows = await this.dataSource.getRepository(SigningKey).find({ order: { sequence: 'DESC' } });
    const now = nowSeconds();
    const signing = rows.find(({ signsFrom }) => signsFrom <= now);
    return rows.map(({ kid, createdAt, signsFrom, verifiesUntil }) => ({
      kid,
      state: stateOf({ signsFrom, verifiesUntil, isSigning: kid === signing?.kid }, now),
      createdAt,
      signsFrom,
      verifiesUntil,
    }));
  }

  /** A key pair not yet stored: generating one is slow, so it happens before the transaction. */
  async draft(): Promise<KeyDraft> {
    const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: RSA_BITS });
    const kid = await calculateJwkThumbprint(await exportJWK(publicKey));
    const privatePem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
    return {
      kid,
      publicKey: publicKey.export({ type: 'spki', format: 'pem' }) as string,
      sealedPrivateKey: seal(this.sealingKey, kid, privatePem),
    };
  }

  /** Stores the first key, unless a key exists. */
  async addFirst(manager: EntityManager, draft: KeyDraft): Promise<void> {
    if (await this.exist(manager)) return;
    const now = nowSeconds();
    await manager.insert(SigningKey, {
      ...draft,
      sequence: 1,
      createdAt: now,
      signsFrom: now,
      verifiesUntil: null,
    });
  }

  exist(manager: EntityManager): Promise<boolean> {
    return manager.exists(SigningKey);
  }

  /** Deletes keys whose last token has expired. */
  async purgeRetired(signal: AbortSignal): Promise<void> {
    const where = { verifiesUntil: LessThanOrEqual(nowSeconds()) };
    await this.purge.where(SigningKey, { where, order: { sequence: 'ASC' } }, signal);
  }

  private async add(manager: EntityManager, draft: KeyDraft, leadSeconds: number): Promise<void> {
    const now = nowSeconds();
    const [latest] = await manager.find(SigningKey, { order: { sequence: 'DESC' }, take: 1 });
    if (latest && latest.signsFrom > now) {
      throw new Error(
        `the key ${latest.kid} is already waiting to sign, from ${new Date(latest.signsFrom * 1000).toISOString()}`,
      );
    }
    const signsFrom = now + leadSeconds;
    await manager.insert(SigningKey, {
      ...draft,
      sequence: (latest?.sequence ?? 0) + 1,
      createdAt: now,
      signsFrom,
      verifiesUntil: null,
    });
    if (latest) await this.planEnd(manager, latest, signsFrom);
  }

  /** @returns the `kid` of the next key */
  private async planNext(manager: EntityManager, leadSeconds: number | undefined): Promise<string> {
    const now = nowSeconds();
    const [next, former] = await manager.find(SigningKey, { order: { sequence: 'DESC' }, take: 2 });
    if (!next || next.signsFrom <= now) throw new Error('no key is waiting to sign');
    const restSeconds = Math.max(RELOAD_SECONDS, next.createdAt + PUBLISH_LEAD_SECONDS - now);
    const signsFrom = now + (leadSeconds ?? restSeconds);
    const asRead = { id: next.id, signsFrom: next.signsFrom };
    const { affected } = await manager.update(SigningKey, asRead, { signsFrom });
    if (affected !== 1) throw new Error('another key rotation is in progress');
    if (former) await this.planEnd(manager, former, signsFrom);
    return next.kid;
  }

  /** Makes a key verify until the last token has expired that it may sign before its successor does. */
  private async planEnd(
    manager: EntityManager,
    { id }: SigningKey,
    successorSignsFrom: number,
  ): Promise<void> {
    // Other instances may sign with the old key until they reload.
    const verifiesUntil = successorSignsFrom + RELOAD_SECONDS + this.settings.accessTokenTtlSeconds;
    await manager.update(
      SigningKey,
      { id },
      {
        verifiesUntil: () =>
          `CASE WHEN long_tokens_until > ${verifiesUntil} THEN long_tokens_until ELSE ${verifiesUntil} END`,
      },
    );
  }
}

function stateOf(
  key: { signsFrom: number; verifiesUntil: number | null; isSigning: boolean },
  now: number,
): KeyListing['state'] {
  if (key.isSigning) return 'signing';
  if (key.signsFrom > now) return 'next';
  return key.verifiesUntil !== null && key.verifiesUntil <= now ? 'retired' : 'verifying';
}
