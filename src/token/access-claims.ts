import { PlutoError } from '../common/errors.js';

/** The claims of an access token; times in seconds since the epoch. */
export interface AccessClaims {
  type: 'access';
  iat: number;
  exp: number;
  /** The account's id; 0 in a client's own token (RFC 6749 section 4.4). */
  sub: number;
  /** The name of the application. */
  iss: string;
  scopes: string[];
  /** The session of the token; once it has ended, Pluto refuses the token. `''` if `sub` is 0. */
  sid: string;
  /** The OAuth client that got the token (RFC 9068 section 2.2); missing in first-party tokens. */
  client_id?: string;
}

/**
 * Narrows the payload of a token whose signature was verified.
 * @throws PlutoError invalidJwt for any other kind of token
 */
export function readAccessClaims(payload: unknown): AccessClaims {
  if (!isAccessClaims(payload)) throw new PlutoError('invalidJwt');
  return payload;
}

function isAccessClaims(payload: unknown): payload is AccessClaims {
  if (typeof payload !== 'object' || payload === null) return false;
  const { type, iat, exp, sub, iss, scopes, sid, client_id } = payload as Record<string, unknown>;
  return (
    type === 'access' &&
    Number.isInteger(iat) &&
    Number.isInteger(exp) &&
    Number.isInteger(sub) &&
    typeof iss === 'string' &&
    Array.isArray(scopes) &&
    scopes.every((name) => typeof name === 'string') &&
    typeof sid === 'string' &&
    (client_id === undefined || typeof client_id === 'string')
  );
}
