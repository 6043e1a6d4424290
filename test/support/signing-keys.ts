import { createPublicKey, type KeyObject } from 'node:crypto';
import { CompactSign, exportJWK, exportSPKI, generateKeyPair, type CryptoKey, type JWK } from 'jose';
import type { Fields } from './provider-server.js';
import { rsaKeys } from './rsa-keys.js';
import { encodePart } from './tokens.js';

/** Neither Pluto's own, the first, nor the stranger's, the last. */
const providersKeys = rsaKeys.slice(1, -1);

export interface SigningOptions {
  /** undefined leaves it out. */
  kid?: string;
  /** `none` leaves out the signature. */
  alg?: string;
  /** A private key; a text is the secret of an HMAC. */
  key?: CryptoKey | KeyObject | string;
  /** More of the header, or other. */
  header?: Fields;
}

/** The RS256 keys of a provider: two are published, the first signs. */
export class SigningKeys {
  private taken = 0;
  private keys: { privateKey: KeyObject; publicKey: KeyObject; jwk: JWK & { kid: string } }[] = [];

  /** @param newKid a key id in the provider's style */
  constructor(private readonly newKid: () => string) {}

  get set(): { keys: JWK[] } {
    return { keys: this.keys.map(({ jwk }) => jwk) };
  }

  /** New keys instead of the old. */
  async rotate(): Promise<void> {
    this.keys = await Promise.all([this.next(), this.next()]);
  }

  /** The public key as texts that an attacker may take for an HMAC secret. */
  async publicKeyAs(form: 'pem' | 'jwk'): Promise<string> {
    const { publicKey, jwk } = this.current;
    return form === 'pem' ? exportSPKI(publicKey) : JSON.stringify(jwk);
  }

  async sign(claims: Fields, { key, header, ...named }: SigningOptions = {}): Promise<string> {
    const { privateKey, jwk } = this.current;
    const protectedHeader = { alg: 'RS256', kid: jwk.kid, ...named, ...header };
    if (protectedHeader.alg === 'none') return `${encodePart(protectedHeader)}.${encodePart(claims)}.`;
    return new CompactSign(Buffer.from(JSON.stringify(claims)))
      .setProtectedHeader(protectedHeader)
      .sign(typeof key === 'string' ? Buffer.from(key) : (key ?? privateKey));
  }

  private get current() {
    return this.keys[0]!;
  }

  private async next() {
    const privateKey = providersKeys[this.taken++ % providersKeys.length]!;
    const publicKey = createPublicKey(privateKey);
    const { kty, n, e } = await exportJWK(publicKey);
    return { privateKey, publicKey, jwk: { kty, n, e, alg: 'RS256', use: 'sig', kid: this.newKid() } };
  }
}

/** A key that no provider knows. */
export async function strangersKey(alg = 'RS256'): Promise<CryptoKey | KeyObject> {
  if (/^[RP]S/.test(alg)) return rsaKeys.at(-1)!;
  return (await generateKeyPair(alg)).privateKey;
}
