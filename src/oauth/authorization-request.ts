import { isIllFormed, isOpaque } from '../common/text-checks.js';
import { badRequest } from '../common/validation.pipe.js';
import type { Application } from '../applications/application.entity.js';
import type { OAuthClient } from './oauth-client.entity.js';

/** What a client's page sends the browser with; what the browser says is not to be trusted. */
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

/** A request for consent that holds together. */
export interface AuthorizationRequest {
  client: OAuthClient;
  application: Application;
  redirectUri: string;
  responseType: ResponseType;
  state: string | undefined;
  /** Those asked for; undefined: the client did not say. */
  scopes: string | undefined;
  codeChallenge: string;
  accessTokenTtlSeconds: number;
  /** Whether that is more than the settings give. */
  isLongerThanUsual: boolean;
  parameters: AuthorizationParameters;
}

/** The wire's names, in the order of the reference. */
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
 * Reads them from a query or a form; an empty one counts as left out (RFC 6749 section 3.1).
 * @throws PlutoError badRequest for one that is repeated or too long: nothing is guessed, and nothing sent anywhere
 */
export function readParameters(given: Record<string, unknown>): AuthorizationParameters {
  const entries = Object.entries(names).map(([name, wireName]) => {
    // `scope` is what RFC 6749 section 3.3 calls the field.
    const value = given[wireName] ?? (wireName === 'scopes' ? given.scope : undefined);
    if (value === undefined || value === '') return [name, undefined];
    if (typeof value !== 'string' || value.length > MAX_LENGTH || isIllFormed(value))
      throw badRequest([`${wireName} must be a single string of at most ${MAX_LENGTH} characters`]);
    // RFC 6749 appendix A.5; a form would not give back a line break as it was.
    if (name === 'state' && !isOpaque(value, MAX_LENGTH))
      throw badRequest(['state must not contain control characters']);
    return [name, value];
  });
  return Object.fromEntries(entries) as AuthorizationParameters;
}

/** The same as fields of a form or of a query. */
export function writeParameters(parameters: AuthorizationParameters): { name: string; value: string }[] {
  return Object.entries(names).flatMap(([name, wireName]) => {
    const value = parameters[name as keyof AuthorizationParameters];
    return value === undefined ? [] : [{ name: wireName, value }];
  });
}

/** How long the first access token lives: as asked for, from a minute to thirty days. */
export function clampLifeTime(text: string | undefined, fallbackSeconds: number): number | null {
  if (text === undefined) return fallbackSeconds;
  if (!/^-?\d{1,15}$/.test(text)) return null;
  return Math.min(MAX_LIFE_SECONDS, Math.max(MIN_LIFE_SECONDS, Number(text)));
}
