import { Column, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';
import { unixTime } from '../database/columns.js';

/** A product whose accounts Pluto keeps; accounts, roles and scopes belong to one application each. */
@Entity('applications')
@Index('uq_applications_name', ['nameKey'], { unique: true })
export class Application {
  @PrimaryGeneratedColumn()
  id: number;

  @Column({ name: 'name', type: 'varchar', length: 100 })
  name: string;

  @Column({ name: 'name_key', type: 'varchar', length: 300 })
  nameKey: string;

  /** The role of accounts that were given none. */
  @Column({ name: 'default_role_id', type: 'integer', nullable: true })
  defaultRoleId: number | null;

  /**
   * Counted up by every change that more than one row of the application takes part in: two such changes at once
   * meet in this row, on one server and on a cluster that only notices conflicting writes.
   */
  @Column({ name: 'revision', type: 'integer', default: 0 })
  revision: number;

  @Column({ ...unixTime, name: 'created_at' })
  createdAt: number;
}
