import { errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose';
import { PlutoError, type ErrorKey } from '../../common/errors.js';
import { isMail } from '../../common/text-checks.js';
import { nowSeconds } from '../../common/time.js';

/** What a checked ID token says; `''` for what it does not. */
export interface IdTokenClaims {
  subject: string;
  audiences: string[];
  authorizedParty: string;
  /** Only one that the provider has confirmed. */
  mail: string;
  name: string;
  picture: string;
}

const LEEWAY_SECONDS = 60;
const SUBJECT = /^[\x21-\x7e]{1,255}$/;

/**
 * Checks the signature (RS256 only), issuer and times of an ID token. Whom it was issued to is left to the caller.
 * @param invalid the error for a token that is refused
 * @throws PlutoError `invalid`; serviceUnavailable when the issuer's keys cannot be had
 * @see OpenID Connect Core 1.0 sections 2 and 3.1.3.7
 */
export async function verifyIdToken(
  token: string,
  { keys, issuers, invalid }: { keys: JWTVerifyGetKey; issuers: string[]; invalid: ErrorKey },
): Promise<IdTokenClaims> {
  try {
    const { payload } = await jwtVerify(token, keys, {
      algorithms: ['RS256'],
      issuer: issuers,
      requiredClaims: ['sub', 'aud', 'exp', 'iat'],
      clockTolerance: LEEWAY_SECONDS,
    });
    return readClaims(payload);
  } catch (cause) {
    if (cause instanceof errors.JOSEError) throw new PlutoError(invalid, { cause });
    throw cause;
  }
}

function readClaims(payload: JWTPayload): IdTokenClaims {
  const { sub, aud, iat = Infinity } = payload;
  if (iat > nowSeconds() + LEEWAY_SECONDS) throw new errors.JWTInvalid('"iat" lies in the future');
  if (typeof sub !== 'string' || !SUBJECT.test(sub)) throw new errors.JWTInvalid('"sub" is no identifier');
  const isConfirmed = payload.email_verified === true || payload.email_verified === 'true';
  return {
    subject: sub,
    audiences: [aud ?? []].flat(),
    authorizedParty: textOf(payload.azp),
    mail: isConfirmed && isMail(payload.email) ? payload.email : '',
    name: textOf(payload.name),
    picture: textOf(payload.picture),
  };
}

function textOf(claim: unknown): string {
  return typeof claim === 'string' ? claim : '';
}
