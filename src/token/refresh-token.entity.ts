import { Column, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';
import { BelongsTo } from '../database/belongs-to.js';
import { nullableUnixTime, unixTime } from '../database/columns.js';

/**
 * One generation of a session's refresh token. Used ones are kept to detect theft; only the newest is unused.
 */
@Entity('refresh_tokens')
@Index('uq_refresh_tokens_hash', ['tokenHash'], { unique: true })
@Index('uq_refresh_tokens_generation', ['sessionId', 'generation'], { unique: true })
@Index('ix_refresh_tokens_expires', ['expiresAt'])
@Index('ix_refresh_tokens_newest', ['usedAt', 'generation'])
export class RefreshToken {
  @PrimaryGeneratedColumn()
  id: number;

  @BelongsTo({ entity: 'Session', column: 'session_id', constraint: 'fk_refresh_tokens_session' })
  session?: object;

  @Column({ name: 'session_id', type: 'varchar', length: 22 })
  sessionId: string;

  @Column({ name: 'generation', type: 'integer' })
  generation: number;

  @Column({ name: 'token_hash', type: 'varchar', length: 64 })
  tokenHash: string;

  @Column({ ...unixTime, name: 'created_at' })
  createdAt: number;

  @Column({ ...unixTime, name: 'expires_at' })
  expiresAt: number;

  /** When it was first exchanged; null for the newest. */
  @Column({ ...nullableUnixTime, name: 'used_at' })
  usedAt: number | null;

  /** When it was exchanged last after the grace period, while its successor was unused; null if never. */
  @Column({ ...nullableUnixTime, name: 'replayed_at' })
  replayedAt: number | null;
}
