import { equalInConstantTime, sha256 } from '../common/crypto.js';

/** Whether an `Authorization` header contains the bearer token (RFC 6750 section 2.1). */
export function bearsToken(authorization: string | undefined, token: string): boolean {
  const given = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1] ?? '';
  // As hashes, so that the time does not depend on the lengths either.
  return equalInConstantTime(sha256(given), sha256(token));
}
