import { Column, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';
import { BelongsTo } from '../../database/belongs-to.js';
import { unixTime } from '../../database/columns.js';

/** A device that an account has signed in on. */
@Entity('known_devices')
@Index('uq_known_devices_hash', ['userId', 'deviceHash'], { unique: true })
@Index('ix_known_devices_used', ['lastUsedAt'])
export class KnownDevice {
  @PrimaryGeneratedColumn()
  id: number;

  @BelongsTo({ entity: 'User', column: 'user_id', constraint: 'fk_known_devices_user' })
  user?: object;

  @Column({ name: 'user_id', type: 'integer' })
  userId: number;

  /** HMAC of the device identifier under a server key: reveals neither device ids nor addresses. */
  @Column({ name: 'device_hash', type: 'varchar', length: 43 })
  deviceHash: string;

  @Column({ ...unixTime, name: 'last_used_at' })
  lastUsedAt: number;

  /** Wrong passwords in a row on this device. */
  @Column({ name: 'failures', type: 'integer', default: 0 })
  failures: number;
}
