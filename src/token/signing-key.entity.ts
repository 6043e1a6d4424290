import { Column, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';
import { nullableUnixTime, unixTime } from '../database/columns.js';

/** A key pair for access tokens (RS256). Of the keys whose `signsFrom` has passed, the newest signs. */
@Entity('signing_keys')
@Index('uq_signing_keys_sequence', ['sequence'], { unique: true })
@Index('uq_signing_keys_kid', ['kid'], { unique: true })
export class SigningKey {
  @PrimaryGeneratedColumn()
  id: number;

  /** 1, 2, 3, …; unique, so that concurrent rotations conflict. */
  @Column({ name: 'sequence', type: 'integer' })
  sequence: number;

  /** The key's JWK thumbprint (RFC 7638). */
  @Column({ name: 'kid', type: 'varchar', length: 64 })
  kid: string;

  /** PEM, SubjectPublicKeyInfo. */
  @Column({ name: 'public_key', type: 'text' })
  publicKey: string;

  /** PKCS#8 PEM, encrypted under `SECRET_KEY`. */
  @Column({ name: 'sealed_private_key', type: 'text' })
  sealedPrivateKey: string;

  @Column({ ...unixTime, name: 'created_at' })
  createdAt: number;

  @Column({ ...unixTime, name: 'signs_from' })
  signsFrom: number;

  /** When the last token that it may have signed expires; null while it has no successor. */
  @Column({ ...nullableUnixTime, name: 'verifies_until' })
  verifiesUntil: number | null;

  /** When the last token with a lifetime above ACCESS_TOKEN_TTL expires; 0: none. */
  @Column({ ...unixTime, name: 'long_tokens_until', default: 0 })
  longTokensUntil: number;
}
