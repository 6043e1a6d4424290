import { Column, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';
import { BelongsTo } from '../database/belongs-to.js';
import { unixTime } from '../database/columns.js';

/** A named set of scopes within an application. */
@Entity('roles')
@Index('uq_roles_name', ['applicationId', 'nameKey'], { unique: true })
export class Role {
  @PrimaryGeneratedColumn()
  id: number;

  @BelongsTo({ entity: 'Application', column: 'application_id', constraint: 'fk_roles_application' })
  application?: object;

  @Column({ name: 'application_id', type: 'integer' })
  applicationId: number;

  @Column({ name: 'name', type: 'varchar', length: 60 })
  name: string;

  @Column({ name: 'name_key', type: 'varchar', length: 180 })
  nameKey: string;

  /** Granted when no scope is requested; one of the role's scopes. */
  @Column({ name: 'default_scope_id', type: 'integer', nullable: true })
  defaultScopeId: number | null;

  /** Incremented by every change of the role's scopes, so that concurrent changes conflict in this row. */
  @Column({ name: 'revision', type: 'integer', default: 0 })
  revision: number;

  @Column({ ...unixTime, name: 'created_at' })
  createdAt: number;
}
