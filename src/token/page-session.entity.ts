import { Column, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';
import { BelongsTo } from '../database/belongs-to.js';
import { unixTime } from '../database/columns.js';
import type { SignedInBy } from './session.entity.js';

/** A browser's session on the hosted pages, for one application; the API does not accept its token. */
@Entity('page_sessions')
@Index('uq_page_sessions_hash', ['tokenHash'], { unique: true })
@Index('ix_page_sessions_user', ['userId'])
@Index('ix_page_sessions_application', ['applicationId'])
@Index('ix_page_sessions_expires', ['expiresAt'])
export class PageSession {
  @PrimaryGeneratedColumn()
  id: number;

  @Column({ name: 'token_hash', type: 'varchar', length: 64 })
  tokenHash: string;

  @BelongsTo({ entity: 'User', column: 'user_id', constraint: 'fk_page_sessions_user' })
  user?: object;

  @Column({ name: 'user_id', type: 'integer' })
  userId: number;

  @BelongsTo({ entity: 'Application', column: 'application_id', constraint: 'fk_page_sessions_application' })
  application?: object;

  @Column({ name: 'application_id', type: 'integer' })
  applicationId: number;

  /** `''` if unknown: of a session from before this was recorded. */
  @Column({ name: 'signed_in_by', type: 'varchar', length: 16, default: '' })
  signedInBy: SignedInBy | '';

  /** At the sign-in; `''` of a session from before this was recorded. */
  @Column({ type: 'varchar', length: 64, default: '' })
  address: string;

  @Column({ name: 'user_agent', type: 'varchar', length: 255, default: '' })
  userAgent: string;

  /** When the person signed in. */
  @Column({ ...unixTime, name: 'created_at' })
  createdAt: number;

  @Column({ ...unixTime, name: 'expires_at' })
  expiresAt: number;
}
