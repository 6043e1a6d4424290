import { createRemoteJWKSet, customFetch, errors, type CryptoKey, type JWTVerifyGetKey } from 'jose';
import { PlutoError } from '../../common/errors.js';
import { providerUnavailable, requestJson, type ProviderName } from './provider-http.js';

/** RFC 7518 section 3.3; jose imports shorter keys and fails only when it uses them. */
const MIN_MODULUS_BITS = 2048;
const MAX_AGE_MS = 10 * 60_000;
/** Fetches for unknown keys within the window: one published seconds ago is found, strangers cause few. */
const REFETCHES_MAX = 3;
const REFETCH_WINDOW_MS = 60_000;

type PublishedKeys = ReturnType<typeof createRemoteJWKSet>;

/**
 * A provider's published keys, as a key source for jose: fetched on first use, then every ten minutes, and
 * for an unknown `kid` immediately, but at most three times a minute, whether the fetch succeeds or fails.
 * @throws PlutoError serviceUnavailable when the keys are needed and cannot be fetched
 */
export function remoteKeySet(provider: ProviderName, url: URL): JWTVerifyGetKey {
  let keys: PublishedKeys | undefined;
  return async (header, token) => {
    // Created lazily: jose creates `Headers`, which makes Node load its whole `fetch` implementation.
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
  let fetchedAt: number[] = [];
  const keys = createRemoteJWKSet(url, {
    cacheMaxAge: MAX_AGE_MS,
    // jose's own pause would also apply to a key that was published just now.
    cooldownDuration: 0,
    [customFetch]: async () => {
      fetchedAt = fetchedAt.filter(isRecent);
      // Fresh keys are refetched only for an unknown `kid`.
      if (keys.fresh && fetchedAt.length > REFETCHES_MAX) throw new errors.JWKSNoMatchingKey();
      fetchedAt.push(Date.now());
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

/** A time in the future was recorded before the clock was set back. */
function isRecent(fetchedAt: number): boolean {
  const age = Date.now() - fetchedAt;
  return age >= 0 && age < REFETCH_WINDOW_MS;
}
