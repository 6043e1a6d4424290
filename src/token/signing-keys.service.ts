import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { Injectable } from '@nestjs/common';
import { calculateJwkThumbprint, exportJWK, type JWK } from 'jose';
import { DataSource, IsNull, LessThanOrEqual, MoreThan, type EntityManager } from 'typeorm';
import { seal, unseal } from '../common/crypto.js';
import { PlutoError } from '../common/errors.js';
import { nowSeconds } from '../common/time.js';
import { SecretKey } from '../config/secret-key.js';
import { Settings } from '../config/settings.js';
import { isUniqueViolation } from '../database/constraints.js';
import { Transactions } from '../database/transactions.js';
import { keyIdOf } from './key-id.js';
import { SigningKey } from './signing-key.entity.js';

interface CachedKey {
  kid: string;
  publicPem: string;
  publicKey: KeyObject;
  signsFrom: number;
  row: SigningKey;
}

interface KeyRing {
  loadedAt: number;
  /** Newest first. */
  keys: CachedKey[];
}

export interface KeyListing {
  kid: string;
  state: 'next' | 'signing' | 'verifying' | 'retired';
  createdAt: number;
  signsFrom: number;
  verifiesUntil: number | null;
}

const RSA_BITS = 2048;
/** How old an instance's view of the keys may be. */
const RELOAD_SECONDS = 30;
/** How often an unknown `kid` may make an instance look again. */
const UNKNOWN_KID_RELOAD_SECONDS = 2;
/** From publication to first use: instances and other services have seen the key by then. */
export const PUBLISH_LEAD_SECONDS = 600;

/** The key pairs that sign access tokens: kept encrypted in the database, parsed once, rotated by command. */
@Injectable()
export class SigningKeysService {
  private ring: KeyRing = { loadedAt: 0, keys: [] };
  private loading: Promise<KeyRing> | null = null;
  private privateKeys = new Map<string, KeyObject>();
  private readonly sealingKey: Buffer;

  constructor(
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly settings: Settings,
    secretKey: SecretKey,
  ) {
    this.sealingKey = secretKey.derive('signing-keys');
  }

  /** The key that signs now. */
  async signingKey(): Promise<{ kid: string; privateKey: KeyObject; publicPem: string }> {
    const current = this.currentOf((await this.load(RELOAD_SECONDS)).keys);
    return { kid: current.kid, privateKey: this.privateKeyOf(current), publicPem: current.publicPem };
  }

  /**
   * The public key that the token's header names.
   * @throws PlutoError invalidJwt when no key of that id may verify tokens
   */
  async verificationKeyOf(token: string): Promise<KeyObject> {
    const kid = keyIdOf(token);
    const key =
      find(kid, await this.load(RELOAD_SECONDS)) ?? find(kid, await this.load(UNKNOWN_KID_RELOAD_SECONDS));
    if (!key) throw new PlutoError('invalidJwt');
    return key.publicKey;
  }

  /** All keys that verify or will sign, as a JWK set (RFC 7517 section 5). */
  async publicKeySet(): Promise<{ keys: JWK[] }> {
    const { keys } = await this.load(RELOAD_SECONDS);
    return {
      keys: await Promise.all(
        keys.map(async ({ kid, publicKey }) => ({
          ...(await exportJWK(publicKey)),
          kid,
          alg: 'RS256',
          use: 'sig',
        })),
      ),
    };
  }

  /**
   * Makes the next key. It is published at once and signs after `leadSeconds`; the present one verifies until its
   * last token has expired.
   * @throws Error when another key is waiting to sign already
   */
  async rotate(leadSeconds = PUBLISH_LEAD_SECONDS): Promise<KeyListing[]> {
    const draft = await this.draft();
    try {
      await this.transactions.run((manager) => this.add(manager, draft, leadSeconds));
    } catch (error) {
      if (isUniqueViolation(error)) throw new Error('another rotation is under way', { cause: error });
      throw error;
    }
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

  /** A key pair not yet stored: making one takes a while and is done before the transaction. */
  async draft(): Promise<Pick<SigningKey, 'kid' | 'publicKey' | 'sealedPrivateKey'>> {
    const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: RSA_BITS });
    const kid = await calculateJwkThumbprint(await exportJWK(publicKey));
    const privatePem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
    return {
      kid,
      publicKey: publicKey.export({ type: 'spki', format: 'pem' }) as string,
      sealedPrivateKey: seal(this.sealingKey, kid, privatePem),
    };
  }

  /** Stores the first key, unless there is one. */
  async addFirst(
    manager: EntityManager,
    draft: Pick<SigningKey, 'kid' | 'publicKey' | 'sealedPrivateKey'>,
  ): Promise<void> {
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

  /**
   * Opens the key that signs now.
   * @throws Error when `SECRET_KEY` is not the one that the keys were encrypted with
   */
  async assertReadable(): Promise<void> {
    await this.signingKey();
  }

  /** Deletes keys whose last token has expired. */
  async purgeRetired(): Promise<void> {
    await this.dataSource.manager.delete(SigningKey, { verifiesUntil: LessThanOrEqual(nowSeconds()) });
  }

  private async add(
    manager: EntityManager,
    draft: Pick<SigningKey, 'kid' | 'publicKey' | 'sealedPrivateKey'>,
    leadSeconds: number,
  ): Promise<void> {
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
    if (!latest) return;
    // Another instance may sign with the old key until it looks again.
    const verifiesUntil = signsFrom + RELOAD_SECONDS + this.settings.accessTokenTtlSeconds;
    await manager.update(SigningKey, { id: latest.id }, { verifiesUntil });
  }

  private async load(maxAgeSeconds: number): Promise<KeyRing> {
    const age = nowSeconds() - this.ring.loadedAt;
    if (this.ring.keys.length > 0 && age >= 0 && age < maxAgeSeconds) return this.ring;
    this.loading ??= this.read().finally(() => (this.loading = null));
    return this.loading;
  }

  private async read(): Promise<KeyRing> {
    const loadedAt = nowSeconds();
    const rows = await this.dataSource.getRepository(SigningKey).find({
      where: [{ verifiesUntil: IsNull() }, { verifiesUntil: MoreThan(loadedAt) }],
      order: { sequence: 'DESC' },
    });
    const known = new Map(this.ring.keys.map((key) => [key.kid, key]));
    const keys = rows.map((row) => ({ ...(known.get(row.kid) ?? parsePublic(row)), row }));
    this.ring = { loadedAt, keys };
    return this.ring;
  }

  private currentOf(keys: CachedKey[]): CachedKey {
    const now = nowSeconds();
    const current = keys.find(({ signsFrom }) => signsFrom <= now);
    if (!current) throw new Error('there is no signing key');
    return current;
  }

  private privateKeyOf({ kid, row }: CachedKey): KeyObject {
    const cached = this.privateKeys.get(kid);
    if (cached) return cached;
    const privateKey = createPrivateKey(this.unsealPrivate(row));
    this.privateKeys.set(kid, privateKey);
    return privateKey;
  }

  private unsealPrivate({ kid, sealedPrivateKey }: SigningKey): string {
    try {
      return unseal(this.sealingKey, kid, sealedPrivateKey);
    } catch (cause) {
      throw new Error(`the signing key ${kid} was encrypted under another SECRET_KEY`, { cause });
    }
  }
}

function find(kid: string, ring: KeyRing): CachedKey | undefined {
  return ring.keys.find((key) => key.kid === kid);
}

function parsePublic(row: SigningKey): Omit<CachedKey, 'row'> {
  return {
    kid: row.kid,
    publicPem: row.publicKey,
    publicKey: createPublicKey(row.publicKey),
    signsFrom: row.signsFrom,
  };
}

function stateOf(
  key: { signsFrom: number; verifiesUntil: number | null; isSigning: boolean },
  now: number,
): KeyListing['state'] {
  if (key.isSigning) return 'signing';
  if (key.signsFrom > now) return 'next';
  return key.verifiesUntil !== null && key.verifiesUntil <= now ? 'retired' : 'verifying';
}
