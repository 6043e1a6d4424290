import { createHash } from 'node:crypto';
import { equalInConstantTime } from '../common/crypto.js';

/** RFC 7636 section 4.2: base64url of a SHA-256 hash. */
export function isCodeChallenge(text: string): boolean {
  return /^[A-Za-z0-9_-]{43}$/.test(text);
}

/**
 * Checks a code verifier against its challenge (S256).
 * @param challenge `''` if none was sent; then a verifier is not allowed either (RFC 9700 section 2.1.1)
 * @see RFC 7636 section 4.6
 */
export function isVerifierRight(challenge: string, verifier: string | undefined): boolean {
  if (challenge === '' || verifier === undefined) return challenge === '' && verifier === undefined;
  if (!/^[A-Za-z0-9._~-]{43,128}$/.test(verifier)) return false;
  return equalInConstantTime(createHash('sha256').update(verifier).digest('base64url'), challenge);
}
