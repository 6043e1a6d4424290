import { createHash } from 'node:crypto';
import { equalInConstantTime } from '../common/crypto.js';

/** What RFC 7636 section 4.2 makes of a verifier: base64url of 32 bytes. */
export function isCodeChallenge(text: string): boolean {
  return /^[A-Za-z0-9_-]{43}$/.test(text);
}

/**
 * Whether whoever fetches the tokens is who asked for consent (S256).
 * @param challenge `''` when none was sent; then no verifier is wanted, and none may come (RFC 9700 section 2.1.1)
 * @see RFC 7636 section 4.6
 */
export function isVerifierRight(challenge: string, verifier: string | undefined): boolean {
  if (challenge === '' || verifier === undefined) return challenge === '' && verifier === undefined;
  if (!/^[A-Za-z0-9._~-]{43,128}$/.test(verifier)) return false;
  return equalInConstantTime(createHash('sha256').update(verifier).digest('base64url'), challenge);
}
