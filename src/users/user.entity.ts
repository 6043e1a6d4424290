import { Column, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';
import type { Language } from '../common/languages.js';
import { BelongsTo } from '../database/belongs-to.js';
import { unixTime } from '../database/columns.js';

/** An account of one application. Ids are never reused, not even after the account is deleted. */
@Entity('users')
@Index('uq_users_handle', ['applicationId', 'handleKey'], { unique: true })
@Index('ix_users_handle', ['handleKey', 'nameKey'])
@Index('ix_users_name', ['nameKey'])
@Index('ix_users_created', ['createdAt'])
@Index('uq_users_avatar_file', ['avatarFile'], { unique: true })
export class User {
  @PrimaryGeneratedColumn()
  id: number;

  @BelongsTo({ entity: 'Application', column: 'application_id', constraint: 'fk_users_application' })
  application?: object;

  @Column({ name: 'application_id', type: 'integer' })
  applicationId: number;

  /** The public name chosen by the user; `user_id` on the wire. */
  @Column({ name: 'handle', type: 'varchar', length: 100 })
  handle: string;

  @Column({ name: 'handle_key', type: 'varchar', length: 100 })
  handleKey: string;

  /** Whether the handle was changed since the account was created. */
  @Column({ name: 'is_handle_updated', type: 'boolean', default: false })
  isHandleUpdated: boolean;

  @Column({ name: 'name', type: 'varchar', length: 60 })
  name: string;

  @Column({ name: 'name_key', type: 'varchar', length: 180 })
  nameKey: string;

  /** URL of an external picture; `''` for none. */
  @Column({ name: 'avatar_url', type: 'varchar', length: 2048, default: '' })
  avatarUrl: string;

  /** File name of a picture in the avatar folder. */
  @Column({ name: 'avatar_file', type: 'varchar', length: 64, nullable: true })
  avatarFile: string | null;

  /** PHC string; null for an account that only signs in with providers. */
  @Column({ name: 'password_hash', type: 'varchar', length: 255, nullable: true })
  passwordHash: string | null;

  /** Of the request that created the account or last reset its password; `''` if unknown. */
  @Column({ name: 'language', type: 'varchar', length: 8, default: '' })
  language: Language | '';

  @Column({ ...unixTime, name: 'created_at' })
  createdAt: number;

  @Column({ ...unixTime, name: 'updated_at' })
  updatedAt: number;
}
