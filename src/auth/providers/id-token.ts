import { errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose';
import { PlutoError, type ErrorKey } from '../../common/errors.js';
import { isMail } from '../../common/text-checks.js';
import { nowSeconds } from '../../common/time.js';

/** The claims of a verified ID token; `''` for missing ones. */
export interface IdTokenClaims {
  subject: string;
  /** Only if the provider has verified it. */
  mail: string;
  name: string;
  picture: string;
}

const LEEWAY_SECONDS = 60;
const SUBJECT = /^[\x21-\x7e]{1,255}$/;

interface ExpectedToken {
  keys: JWTVerifyGetKey;
  issuers: string[];
  /** The accepted client ids. */
  audiences: string[];
  /** The error for a rejected token. */
  invalid: ErrorKey;
}

/**
 * Verifies the signature (RS256 only), issuer, audience and times of an ID token.
 * @throws PlutoError `invalid`; serviceUnavailable when the issuer's keys cannot be fetched
 * @see OpenID Connect Core 1.0 sections 2 and 3.1.3.7
 */
export async function verifyIdToken(
  token: string,
  { keys, issuers, audiences, invalid }: ExpectedToken,
): Promise<IdTokenClaims> {
  try {
    const { payload } = await jwtVerify(token, keys, {
      algorithms: ['RS256'],
      issuer: issuers,
      requiredClaims: ['sub', 'aud', 'exp', 'iat'],
      clockTolerance: LEEWAY_SECONDS,
    });
    if (!isMeantFor(payload.aud, audiences)) throw new errors.JWTInvalid('"aud" does not match');
    return readClaims(payload);
  } catch (cause) {
    if (cause instanceof errors.JOSEError) throw new PlutoError(invalid, { cause });
    throw cause;
  }
}

/**
 * OIDC Core section 3.1.3.7: a token with an untrusted audience is refused, even if ours is listed too. `azp`
 * names the client that requested the token, not its audience, and may be anybody's client of the same
 * provider.
 */
function isMeantFor(aud: unknown, ours: string[]): boolean {
  const audiences: unknown[] = [aud].flat();
  return audiences.length > 0 && audiences.every((one) => typeof one === 'string' && ours.includes(one));
}

function readClaims(payload: JWTPayload): IdTokenClaims {
  const { sub, iat = Infinity } = payload;
  if (iat > nowSeconds() + LEEWAY_SECONDS) throw new errors.JWTInvalid('"iat" is in the future');
  if (typeof sub !== 'string' || !SUBJECT.test(sub))
    throw new errors.JWTInvalid('"sub" is not a valid identifier');
  const isConfirmed = payload.email_verified === true || payload.email_verified === 'true';
  return {
    subject: sub,
    mail: isConfirmed && isMail(payload.email) ? payload.email : '',
    name: textOf(payload.name),
    picture: textOf(payload.picture),
  };
}

function textOf(claim: unknown): string {
  return typeof claim === 'string' ? claim : '';
}
