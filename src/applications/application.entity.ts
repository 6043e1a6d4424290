import { Column, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';
import { unixTime } from '../database/columns.js';

/** A product whose accounts Pluto manages; accounts, roles and scopes belong to one application each. */
@Entity('applications')
@Index('uq_applications_name', ['nameKey'], { unique: true })
export class Application {
  @PrimaryGeneratedColumn()
  id: number;

  @Column({ name: 'name', type: 'varchar', length: 100 })
  name: string;

  @Column({ name: 'name_key', type: 'varchar', length: 300 })
  nameKey: string;

  /** The role of accounts without an assigned role. */
  @Column({ name: 'default_role_id', type: 'integer', nullable: true })
  defaultRoleId: number | null;

  /**
   * Incremented by every change that involves several rows of the application: concurrent changes conflict in
   * this row, even on a cluster that only detects conflicting writes.
   */
  @Column({ name: 'revision', type: 'integer', default: 0 })
  revision: number;

  @Column({ ...unixTime, name: 'created_at' })
  createdAt: number;
}
