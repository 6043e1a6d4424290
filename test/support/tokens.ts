import type { AccessClaims } from '../../src/token/access-claims.js';

interface DecodedToken {
  header: Record<string, unknown>;
  claims: AccessClaims;
}

/** Reads a JWT without checking it. */
export function decodeToken(token: string): DecodedToken {
  const [header = '', payload = ''] = token.split('.');
  return { header: decodePart(header), claims: decodePart(payload) as unknown as AccessClaims };
}

export function encodePart(part: unknown): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}

function decodePart(part: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>;
}
