import { createRemoteJWKSet, customFetch, errors, type CryptoKey, type JWTVerifyGetKey } from 'jose';
import { PlutoError } from '../../common/errors.js';
import { providerUnavailable, requestJson, type ProviderName } from './provider-http.js';

/** RFC 7518 section 3.3; jose takes shorter ones and fails when it uses them. */
const MIN_MODULUS_BITS = 2048;
const MAX_AGE_MS = 10 * 60_000;
const REFETCH_PAUSE_MS = 60_000;

type PublishedKeys = ReturnType<typeof createRemoteJWKSet>;

/**
 * The keys that a provider publishes, as a key source for jose: fetched when first needed and every ten minutes, and
 * for a `kid` that is not among them, but for that at most once a minute, whatever comes of it.
 * @throws PlutoError serviceUnavailable when they are needed and cannot be had
 */
export function remoteKeySet(provider: ProviderName, url: URL): JWTVerifyGetKey {
  let keys: PublishedKeys | undefined;
  return async (header, token) => {
    // Not at start: jose makes `Headers`, for which Node reads all that belongs to its `fetch`.
    keys ??= publishedKeys(provider, url);
    try {
      const key = await keys(header, token);
      if (modulusBitsOf(key) < MIN_MODULUS_BITS) throw new Error('a key is too short');
      return key;
    } catch (cause) {
      if (isFaultOfToken(cause) || cause instanceof PlutoError) throw cause;
      throw providerUnavailable(provider, 'unusable key set', cause);
    }
  };
}

function publishedKeys(provider: ProviderName, url: URL): PublishedKeys {
  let fetchedAt = -Infinity;
  const keys = createRemoteJWKSet(url, {
    cacheMaxAge: MAX_AGE_MS,
    cooldownDuration: REFETCH_PAUSE_MS,
    [customFetch]: async () => {
      // Fresh keys are fetched again for an unknown `kid` only; jose pauses after a success, not after a failure.
      if (keys.fresh && isRecent(fetchedAt)) throw new errors.JWKSNoMatchingKey();
      fetchedAt = Date.now();
      const { body } = await requestJson(provider, url);
      return Response.json(body);
    },
  });
  return keys;
}

function isFaultOfToken(error: unknown): boolean {
  return error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys;
}

function modulusBitsOf({ algorithm }: CryptoKey): number {
  return 'modulusLength' in algorithm ? Number(algorithm.modulusLength) : 0;
}

/** A time ahead of us was taken before the clock was set back. */
function isRecent(fetchedAt: number): boolean {
  const age = Date.now() - fetchedAt;
  return age >= 0 && age < REFETCH_PAUSE_MS;
}
