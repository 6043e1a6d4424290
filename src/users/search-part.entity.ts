import { Entity, Index, PrimaryColumn } from 'typeorm';
import { BelongsTo } from '../database/belongs-to.js';

/**
 * What is left of the name, the handle or a mail of an account (their keys) from some character on: a text
 * that begins one of these parts is somewhere in the account, so that an index finds it.
 */
@Entity('search_parts', { withoutRowid: true })
@Index('ix_search_parts_user', ['userId', 'part'])
export class SearchPart {
  @PrimaryColumn({ type: 'varchar', length: 254 })
  part: string;

  @PrimaryColumn({ name: 'user_id', type: 'integer' })
  userId: number;

  @BelongsTo({ entity: 'User', column: 'user_id', constraint: 'fk_search_parts_user' })
  user?: object;
}
