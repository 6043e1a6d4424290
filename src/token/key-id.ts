/** The `kid` that a token's header names (RFC 7515 section 4.1.4); `''` when it cannot be read. */
export function keyIdOf(token: string): string {
  try {
    const header: unknown = JSON.parse(Buffer.from(token.split('.', 1)[0] ?? '', 'base64url').toString());
    const kid = typeof header === 'object' && header !== null && 'kid' in header ? header.kid : '';
    return typeof kid === 'string' ? kid : '';
  } catch {
    return '';
  }
}
