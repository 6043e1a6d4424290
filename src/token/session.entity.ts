import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { BelongsTo } from '../database/belongs-to.js';
import { unixTime } from '../database/columns.js';

/** How somebody signed in. */
export type SignedInBy = 'password' | 'google' | 'apple' | 'wechat';

/** A valid login. Ending a session deletes it together with its refresh tokens. */
@Entity('sessions')
@Index('ix_sessions_user', ['userId'])
@Index('ix_sessions_application', ['applicationId'])
@Index('ix_sessions_client', ['clientKey'])
export class Session {
  /** 128 random bits, base64url; the claim `sid` of its access tokens. */
  @PrimaryColumn({ name: 'id', type: 'varchar', length: 22 })
  id: string;

  @BelongsTo({ entity: 'User', column: 'user_id', constraint: 'fk_sessions_user' })
  user?: object;

  @Column({ name: 'user_id', type: 'integer' })
  userId: number;

  @BelongsTo({ entity: 'Application', column: 'application_id', constraint: 'fk_sessions_application' })
  application?: object;

  @Column({ name: 'application_id', type: 'integer' })
  applicationId: number;

  /** The OAuth client of the session; null for a first-party login. */
  @Column({ name: 'client_key', type: 'varchar', length: 255, nullable: true })
  clientKey: string | null;

  @Column({ name: 'device_id', type: 'varchar', length: 255, default: '' })
  deviceId: string;

  /** The scopes of the latest access token. */
  @Column({ name: 'scopes', type: 'simple-json' })
  scopes: string[];

  /** The scopes granted to an OAuth client, which no refresh exceeds; null for a first-party login. */
  @Column({ name: 'granted_scopes', type: 'simple-json', nullable: true })
  grantedScopes: string[] | null;

  @Column({ name: 'address', type: 'varchar', length: 64, default: '' })
  address: string;

  @Column({ name: 'user_agent', type: 'varchar', length: 255, default: '' })
  userAgent: string;

  /** `''` if unknown: of a session from before this was recorded. */
  @Column({ name: 'signed_in_by', type: 'varchar', length: 16, default: '' })
  signedInBy: SignedInBy | '';

  /** When its owner last proved to be there, by signing in or again since; 0 if unknown. */
  @Column({ ...unixTime, name: 'authenticated_at', default: 0 })
  authenticatedAt: number;

  @Column({ ...unixTime, name: 'created_at' })
  createdAt: number;

  @Column({ ...unixTime, name: 'last_used_at' })
  lastUsedAt: number;
}
