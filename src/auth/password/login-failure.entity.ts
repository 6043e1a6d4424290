import { Column, Entity, PrimaryColumn } from 'typeorm';
import { BelongsTo } from '../../database/belongs-to.js';
import { unixTime } from '../../database/columns.js';

/** Wrong passwords in a row for an account, from devices that it does not know. */
@Entity('login_failures')
export class LoginFailure {
  @BelongsTo({ entity: 'User', column: 'user_id', constraint: 'fk_login_failures_user' })
  user?: object;

  @PrimaryColumn({ name: 'user_id', type: 'integer' })
  userId: number;

  @Column({ name: 'failures', type: 'integer' })
  failures: number;

  @Column({ ...unixTime, name: 'last_failed_at' })
  lastFailedAt: number;
}
