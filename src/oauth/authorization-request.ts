import { isIllFormed, isOpaque } from '../common/text-checks.js';
import { badRequest } from '../common/validation.pipe.js';
import type { Application } from '../applications/application.entity.js';
import type { OAuthClient } from './oauth-client.entity.js';

/** The parameters of an authorization request, unverified: they come from the browser. */
export interface AuthorizationParameters {
  clientId: string | undefined;
  applicationName: string | undefined;
  redirectUri: string | undefined;
  responseType: string | undefined;
  state: string | undefined;
  scopes: string | undefined;
  lifeTime: string | undefined;
  codeChallenge: string | undefined;
  codeChallengeMethod: string | undefined;
}

export type ResponseType = 'code' | 'token';

/** A valid authorization request. */
export interface AuthorizationRequest {
  client: OAuthClient;
  application: Application;
  redirectUri: string;
  responseType: ResponseType;
  state: string | undefined;
  /** Requested scopes; undefined if the client sent none. */
  scopes: string | undefined;
  codeChallenge: string;
  accessTokenTtlSeconds: number;
  /** Whether the lifetime exceeds ACCESS_TOKEN_TTL. */
  isLongerThanUsual: boolean;
  parameters: AuthorizationParameters;
}

/** Parameter names on the wire, in the order of the reference. */
const names = {
  clientId: 'client_id',
  applicationName: 'app_id',
  redirectUri: 'redirect_uri',
  responseType: 'response_type',
  state: 'state',
  scopes: 'scopes',
  lifeTime: 'life_time',
  codeChallenge: 'code_challenge',
  codeChallengeMethod: 'code_challenge_method',
} as const satisfies Record<keyof AuthorizationParameters, string>;

const MAX_LENGTH = 4096;
const MIN_LIFE_SECONDS = 60;
const MAX_LIFE_SECONDS = 30 * 24 * 60 * 60;

/**
 * Reads the parameters of a query or form; empty ones count as omitted (RFC 6749 section 3.1).
 * @throws PlutoError badRequest for a repeated or too long parameter; the browser is not redirected then
 */
export function readParameters(given: Record<string, unknown>): AuthorizationParameters {
  const entries = Object.entries(names).map(([name, wireName]) => {
    // `scope` is what RFC 6749 section 3.3 calls the field.
    const value = given[wireName] ?? (wireName === 'scopes' ? given.scope : undefined);
    if (value === undefined || value === '') return [name, undefined];
    if (typeof value !== 'string' || value.length > MAX_LENGTH || isIllFormed(value))
      throw badRequest([`${wireName} must be a single string of at most ${MAX_LENGTH} characters`]);
    // RFC 6749 appendix A.5; forms also change line breaks.
    if (name === 'state' && !isOpaque(value, MAX_LENGTH))
      throw badRequest(['state must not contain control characters']);
    return [name, value];
  });
  return Object.fromEntries(entries) as AuthorizationParameters;
}

/** The parameters as fields of a form or query. */
export function writeParameters(parameters: AuthorizationParameters): { name: string; value: string }[] {
  return Object.entries(names).flatMap(([name, wireName]) => {
    const value = parameters[name as keyof AuthorizationParameters];
    return value === undefined ? [] : [{ name: wireName, value }];
  });
}

/** Lifetime of the first access token: as requested, from a minute to thirty days. */
export function clampLifeTime(text: string | undefined, fallbackSeconds: number): number | null {
  if (text === undefined) return fallbackSeconds;
  if (!/^-?\d{1,15}$/.test(text)) return null;
  return Math.min(MAX_LIFE_SECONDS, Math.max(MIN_LIFE_SECONDS, Number(text)));
}
