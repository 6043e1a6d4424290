import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { BelongsTo } from '../database/belongs-to.js';

/**
 * The role assigned to an account in an application; without a row the application's default role applies.
 */
@Entity('user_roles')
@Index('ix_user_roles_application', ['applicationId'])
@Index('ix_user_roles_role', ['roleId'])
export class UserRole {
  @PrimaryColumn({ name: 'user_id', type: 'integer' })
  userId: number;

  @BelongsTo({ entity: 'User', column: 'user_id', constraint: 'fk_user_roles_user' })
  user?: object;

  @PrimaryColumn({ name: 'application_id', type: 'integer' })
  applicationId: number;

  @BelongsTo({ entity: 'Application', column: 'application_id', constraint: 'fk_user_roles_application' })
  application?: object;

  @Column({ name: 'role_id', type: 'integer' })
  roleId: number;

  @BelongsTo({ entity: 'Role', column: 'role_id', constraint: 'fk_user_roles_role' })
  role?: object;
}
