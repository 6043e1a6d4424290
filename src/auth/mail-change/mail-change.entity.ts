import { Column, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';
import { BelongsTo } from '../../database/belongs-to.js';
import { unixTime } from '../../database/columns.js';

/** `replaced`: another change was asked for before this one was confirmed. */
export type MailChangeState = 'requested' | 'replaced' | 'confirmed' | 'closed';

/** A change of an account's mail address, from the request until it can no longer be undone. */
@Entity('mail_changes')
@Index('uq_mail_changes_confirm', ['confirmHash'], { unique: true })
@Index('uq_mail_changes_cancel', ['cancelHash'], { unique: true })
@Index('uq_mail_changes_undo', ['undoHash'], { unique: true })
@Index('ix_mail_changes_user', ['userId'])
@Index('ix_mail_changes_undoable', ['undoableUntil'])
export class MailChange {
  @PrimaryGeneratedColumn()
  id: number;

  @BelongsTo({ entity: 'User', column: 'user_id', constraint: 'fk_mail_changes_user' })
  user?: object;

  @Column({ name: 'user_id', type: 'integer' })
  userId: number;

  /** The confirmed address at the time of the request. */
  @Column({ name: 'former_mail', type: 'varchar', length: 254 })
  formerMail: string;

  @Column({ name: 'new_mail', type: 'varchar', length: 254 })
  newMail: string;

  @Column({ name: 'state', type: 'varchar', length: 16 })
  state: MailChangeState;

  /** Of the link to the new address. */
  @Column({ name: 'confirm_hash', type: 'varchar', length: 64 })
  confirmHash: string;

  /** Of the link that the former address got with the request; it stops or undoes the change. */
  @Column({ name: 'cancel_hash', type: 'varchar', length: 64 })
  cancelHash: string;

  /** Of the link that the former address got with the confirmation. */
  @Column({ name: 'undo_hash', type: 'varchar', length: 64, nullable: true })
  undoHash: string | null;

  @Column({ ...unixTime, name: 'created_at' })
  createdAt: number;

  @Column({ ...unixTime, name: 'confirmable_until' })
  confirmableUntil: number;

  @Column({ ...unixTime, name: 'undoable_until' })
  undoableUntil: number;
}
