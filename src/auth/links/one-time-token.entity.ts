import { Column, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';
import { BelongsTo } from '../../database/belongs-to.js';
import { nullableUnixTime, unixTime } from '../../database/columns.js';

export type OneTimeTokenKind = 'verify-mail' | 'reset-password';

/** A mailed link: valid for one purpose, once, until it expires. */
@Entity('one_time_tokens')
@Index('uq_one_time_tokens_hash', ['kind', 'tokenHash'], { unique: true })
@Index('ix_one_time_tokens_identity', ['identityId'])
@Index('ix_one_time_tokens_expires', ['expiresAt'])
export class OneTimeToken {
  @PrimaryGeneratedColumn()
  id: number;

  @Column({ name: 'kind', type: 'varchar', length: 32 })
  kind: OneTimeTokenKind;

  @Column({ name: 'token_hash', type: 'varchar', length: 64 })
  tokenHash: string;

  @BelongsTo({ entity: 'Identity', column: 'identity_id', constraint: 'fk_one_time_tokens_identity' })
  identity?: object;

  /** The mail that the link was sent to. */
  @Column({ name: 'identity_id', type: 'integer' })
  identityId: number;

  @Column({ ...unixTime, name: 'created_at' })
  createdAt: number;

  @Column({ ...unixTime, name: 'expires_at' })
  expiresAt: number;

  @Column({ ...nullableUnixTime, name: 'used_at' })
  usedAt: number | null;
}
