import type { Caller } from '../../common/caller.js';
import { isOpaque } from '../../common/text-checks.js';
import { badRequest } from '../../common/validation.pipe.js';
import type { TokenPair } from '../../token/token-issuer.service.js';
import type { OAuthClient } from '../oauth-client.entity.js';

export interface TokenRequest {
  /** Authenticated and approved. */
  client: OAuthClient;
  parameters: TokenParameters;
  caller: Caller;
}

/** A grant type. */
export interface Grant {
  issue(request: TokenRequest): Promise<TokenPair>;
}

/** In characters; empty parameters count as omitted. */
export const PARAMETER_MAX = 8192;
export const DEVICE_ID_MAX = 255;

/** The parameters of a token request, validated when a grant reads them. */
export class TokenParameters {
  constructor(private readonly given: Record<string, unknown>) {}

  /** @throws PlutoError badRequest when it is missing, too long or not a string */
  required(name: string): string {
    const value = this.optional(name);
    if (value === undefined) throw badRequest([`${name} is required`]);
    return value;
  }

  /** An empty parameter counts as omitted (RFC 6749 section 3.2). */
  optional(name: string, max = PARAMETER_MAX): string | undefined {
    const value = this.given[name];
    if (value === undefined || value === null || value === '') return undefined;
    if (!isOpaque(value, max)) throw badRequest([`${name} must be a string of at most ${max} characters`]);
    return value as string;
  }

  /** Unchanged: passwords may contain any characters. */
  password(): string {
    const { password } = this.given;
    if (typeof password !== 'string' || password === '' || Buffer.byteLength(password) > 1024)
      throw badRequest(['password must be 1 to 1024 bytes long']);
    return password;
  }

  /** Names separated by commas or spaces; RFC 6749 section 3.3 calls the field `scope`. */
  get scopes(): string | undefined {
    return this.optional('scopes') ?? this.optional('scope');
  }

  get deviceId(): string | undefined {
    return this.optional('device_id', DEVICE_ID_MAX);
  }
}
