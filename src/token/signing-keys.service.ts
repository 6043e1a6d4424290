import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { Injectable, Logger } from '@nestjs/common';
import { exportJWK, type JWK } from 'jose';
import { DataSource, IsNull, LessThan, MoreThan } from 'typeorm';
import { unseal } from '../common/crypto.js';
import { PlutoError } from '../common/errors.js';
import { nowSeconds } from '../common/time.js';
import { SecretKey } from '../config/secret-key.js';
import { isDatabaseUnavailable } from '../database/database-error.js';
import { SigningKey } from './signing-key.entity.js';

/** A private key was encrypted under another `SECRET_KEY`, and cannot be read. */
export class OtherSecretKey extends Error {
  override name = 'OtherSecretKey';
}

interface CachedKey {
  kid: string;
  publicPem: string;
  publicKey: KeyObject;
  row: SigningKey;
}

interface KeyRing {
  loadedAt: number;
  /** Newest first. */
  keys: CachedKey[];
}

/** Derivation purpose of the key that encrypts the private keys. */
export const SIGNING_KEYS_PURPOSE = 'signing-keys';

/** Maximum age of an instance's copy of the keys. */
export const RELOAD_SECONDS = 30;
/** Minimum pause between reloads for an unknown `kid` or after a failure. */
const RELOAD_PAUSE_SECONDS = 2;

interface FailedReload {
  at: number;
  error: unknown;
}

/**
 * The keys that sign and verify access tokens: reloaded regularly from the database, parsed once. While the
 * database is unreachable, the last keys are still published and verify tokens until they expire, but do not
 * sign.
 */
@Injectable()
export class SigningKeysService {
  private readonly logger = new Logger('SigningKeys');
  private ring: KeyRing = { loadedAt: 0, keys: [] };
  private failed: FailedReload | null = null;
  private loading: Promise<KeyRing> | null = null;
  private privateKeys = new Map<string, KeyObject>();
  private readonly sealingKey: Buffer;

  constructor(
    private readonly dataSource: DataSource,
    secretKey: SecretKey,
  ) {
    this.sealingKey = secretKey.derive(SIGNING_KEYS_PURPOSE);
  }

  /** The current signing key. */
  async signingKey(): Promise<{ kid: string; privateKey: KeyObject }> {
    // No pause after a failure: callers that sign have just used the database successfully.
    const current = currentOf((await this.load(RELOAD_SECONDS, 0)).keys);
    return { kid: current.kid, privateKey: this.privateKeyOf(current) };
  }

  /** The public part of the current signing key, as PEM. */
  async publicKey(): Promise<string> {
    return currentOf(await this.knownKeys()).publicPem;
  }

  /** Makes a key verify until a long-lived token expires. Must be called before the token is signed. */
  async keepUntil(kid: string, expiresAt: number): Promise<void> {
    const { manager } = this.dataSource;
    // In this order: a concurrent rotation either reads the first value or has already set the second.
    await manager.update(
      SigningKey,
      { kid, longTokensUntil: LessThan(expiresAt) },
      { longTokensUntil: expiresAt },
    );
    await manager.update(
      SigningKey,
      { kid, verifiesUntil: LessThan(expiresAt) },
      { verifiesUntil: expiresAt },
    );
  }

  /**
   * Finds the public key for a `kid`.
   * @param kid from the header of a token (RFC 7515 section 4.1.4)
   * @throws PlutoError invalidJwt if no key with that id may verify tokens
   */
  async verificationKey(kid: unknown): Promise<KeyObject> {
    const isOfToken = (key: CachedKey) => key.kid === kid;
    // It may be a new key, so it is unknown only if a reload succeeds.
    const key =
      (await this.knownKeys()).find(isOfToken) ??
      (await this.load(RELOAD_PAUSE_SECONDS)).keys.find(isOfToken);
    if (!key) throw new PlutoError('invalidJwt');
    return key.publicKey;
  }

  /** Whether the key with that id still verifies tokens. */
  async isVerifying(kid: string): Promise<boolean> {
    return (await this.knownKeys()).some((key) => key.kid === kid);
  }

  /** All keys that verify tokens or will sign, as a JWK set (RFC 7517 section 5). */
  async publicKeySet(): Promise<{ keys: JWK[] }> {
    const keys = await this.knownKeys();
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
   * Decrypts the current signing key.
   * @throws OtherSecretKey
   */
  async assertReadable(): Promise<void> {
    await this.signingKey();
  }

  /** The keys that have not expired; if the database is unreachable, those loaded last. */
  private async knownKeys(): Promise<CachedKey[]> {
    const { keys } = await this.load(RELOAD_SECONDS).catch((error: unknown) => {
      if (!isDatabaseUnavailable(error)) throw error;
      return this.ring;
    });
    const live = keys.filter(({ row }) => row.verifiesUntil === null || row.verifiesUntil > nowSeconds());
    if (live.length === 0 && this.failed) throw this.failed.error;
    return live;
  }

  /** @throws the error of the last attempt until the pause is over */
  private async load(maxAgeSeconds: number, pauseSeconds = RELOAD_PAUSE_SECONDS): Promise<KeyRing> {
    if (this.ring.keys.length > 0 && isWithin(maxAgeSeconds, this.ring.loadedAt)) return this.ring;
    if (this.failed && isWithin(pauseSeconds, this.failed.at)) throw this.failed.error;
    this.loading ??= this.reload().finally(() => (this.loading = null));
    return this.loading;
  }

  private async reload(): Promise<KeyRing> {
    try {
      const ring = await this.read();
      this.failed = null;
      return ring;
    } catch (error) {
      if (!this.failed) this.logger.warn({ msg: 'cannot reload signing keys', err: error });
      this.failed = { at: nowSeconds(), error };
      throw error;
    }
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
      throw new OtherSecretKey(`the signing key ${kid} was encrypted under another SECRET_KEY`, { cause });
    }
  }
}

function currentOf(keys: CachedKey[]): CachedKey {
  const now = nowSeconds();
  // A clock that was set back must not leave the server without a key.
  const current = keys.find(({ row }) => row.signsFrom <= now) ?? keys.at(-1);
  if (!current) throw new Error('there is no signing key');
  return current;
}

/** False if the clock was set back. */
function isWithin(seconds: number, since: number): boolean {
  const age = nowSeconds() - since;
  return age >= 0 && age < seconds;
}

function parsePublic(row: SigningKey): Omit<CachedKey, 'row'> {
  return {
    kid: row.kid,
    publicPem: row.publicKey,
    publicKey: createPublicKey(row.publicKey),
  };
}
