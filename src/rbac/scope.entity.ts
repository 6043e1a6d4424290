import { Column, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';
import { BelongsTo } from '../database/belongs-to.js';
import { unixTime } from '../database/columns.js';

/** A permission of an application; access tokens carry its name. */
@Entity('scopes')
@Index('uq_scopes_name', ['applicationId', 'nameKey'], { unique: true })
export class Scope {
  @PrimaryGeneratedColumn()
  id: number;

  @BelongsTo({ entity: 'Application', column: 'application_id', constraint: 'fk_scopes_application' })
  application?: object;

  @Column({ name: 'application_id', type: 'integer' })
  applicationId: number;

  @Column({ name: 'name', type: 'varchar', length: 60 })
  name: string;

  @Column({ name: 'name_key', type: 'varchar', length: 180 })
  nameKey: string;

  @Column({ ...unixTime, name: 'created_at' })
  createdAt: number;
}
