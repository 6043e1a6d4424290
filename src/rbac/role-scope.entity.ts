import { Entity, Index, PrimaryColumn } from 'typeorm';
import { BelongsTo } from '../database/belongs-to.js';

/** A scope that a role has. */
@Entity('role_scopes')
@Index('ix_role_scopes_scope', ['scopeId'])
export class RoleScope {
  @PrimaryColumn({ name: 'role_id', type: 'integer' })
  roleId: number;

  @BelongsTo({ entity: 'Role', column: 'role_id', constraint: 'fk_role_scopes_role' })
  role?: object;

  @PrimaryColumn({ name: 'scope_id', type: 'integer' })
  scopeId: number;

  @BelongsTo({ entity: 'Scope', column: 'scope_id', constraint: 'fk_role_scopes_scope' })
  scope?: object;
}
