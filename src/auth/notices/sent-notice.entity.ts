import { Column, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';
import { BelongsTo } from '../../database/belongs-to.js';
import { unixTime } from '../../database/columns.js';

/** When an account was last told of something; limits mails to one of a kind per hour. */
@Entity('sent_notices')
@Index('ix_sent_notices_sent', ['sentAt'])
@Index('uq_sent_notices_kind', ['userId', 'kind'], { unique: true })
export class SentNotice {
  @PrimaryGeneratedColumn()
  id: number;

  @BelongsTo({ entity: 'User', column: 'user_id', constraint: 'fk_sent_notices_user' })
  user?: object;

  @Column({ name: 'user_id', type: 'integer' })
  userId: number;

  @Column({ name: 'kind', type: 'varchar', length: 32 })
  kind: string;

  @Column({ ...unixTime, name: 'sent_at' })
  sentAt: number;
}
