import { Column, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';
import { BelongsTo, SetNullOnDelete } from '../database/belongs-to.js';
import { nullableUnixTime, unixTime } from '../database/columns.js';
import type { SignedInBy } from '../token/session.entity.js';

/** A user's consent, until the client fetches its tokens (RFC 6749 section 4.1.2). */
@Entity('authorization_codes')
@Index('uq_authorization_codes_hash', ['codeHash'], { unique: true })
@Index('ix_authorization_codes_client', ['clientId'])
@Index('ix_authorization_codes_user', ['userId'])
@Index('ix_authorization_codes_page_session', ['pageSessionId'])
@Index('ix_authorization_codes_application', ['applicationId'])
@Index('ix_authorization_codes_expires', ['expiresAt'])
export class AuthorizationCode {
  @PrimaryGeneratedColumn()
  id: number;

  @Column({ name: 'code_hash', type: 'varchar', length: 64 })
  codeHash: string;

  @BelongsTo({ entity: 'OAuthClient', column: 'client_id', constraint: 'fk_authorization_codes_client' })
  client?: object;

  @Column({ name: 'client_id', type: 'integer' })
  clientId: number;

  @BelongsTo({ entity: 'User', column: 'user_id', constraint: 'fk_authorization_codes_user' })
  user?: object;

  @Column({ name: 'user_id', type: 'integer' })
  userId: number;

  @SetNullOnDelete({
    entity: 'PageSession',
    column: 'page_session_id',
    constraint: 'fk_authorization_codes_page_session',
  })
  pageSession?: object;

  /**
   * The session in which the user consented. Null once it has ended (password reset), which ends the code
   * too.
   */
  @Column({ name: 'page_session_id', type: 'integer', nullable: true })
  pageSessionId: number | null;

  /** How the person had signed in to the page session; `''` if unknown. */
  @Column({ name: 'signed_in_by', type: 'varchar', length: 16, default: '' })
  signedInBy: SignedInBy | '';

  /** When that was; 0 if unknown. */
  @Column({ ...unixTime, name: 'authenticated_at', default: 0 })
  authenticatedAt: number;

  @BelongsTo({
    entity: 'Application',
    column: 'application_id',
    constraint: 'fk_authorization_codes_application',
  })
  application?: object;

  @Column({ name: 'application_id', type: 'integer' })
  applicationId: number;

  @Column({ name: 'redirect_uri', type: 'varchar', length: 2048 })
  redirectUri: string;

  /** The scopes that the user was shown. */
  @Column({ name: 'scopes', type: 'simple-json' })
  scopes: string[];

  /** S256 (RFC 7636 section 4.2); `''` when the client sent none. */
  @Column({ name: 'code_challenge', type: 'varchar', length: 43, default: '' })
  codeChallenge: string;

  @Column({ name: 'access_token_ttl_seconds', type: 'integer' })
  accessTokenTtlSeconds: number;

  /** The session that the code was exchanged for; it ends when the code is used again. */
  @Column({ name: 'session_id', type: 'varchar', length: 22, nullable: true })
  sessionId: string | null;

  @Column({ ...unixTime, name: 'created_at' })
  createdAt: number;

  @Column({ ...unixTime, name: 'expires_at' })
  expiresAt: number;

  @Column({ ...nullableUnixTime, name: 'used_at' })
  usedAt: number | null;
}
