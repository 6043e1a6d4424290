import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { unixTime } from '../../../database/columns.js';

/** A `state` that came back from WeChat; kept until it has expired, so that it works only once. */
@Entity('spent_states')
@Index('ix_spent_states_expires', ['expiresAt'])
export class ConsumedState {
  @PrimaryColumn({ name: 'nonce', type: 'varchar', length: 32 })
  nonce: string;

  @Column({ ...unixTime, name: 'expires_at' })
  expiresAt: number;
}
