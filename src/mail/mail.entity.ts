import { Column, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';
import { BelongsTo } from '../database/belongs-to.js';
import { nullableUnixTime, unixTime } from '../database/columns.js';
import type { Language } from '../common/languages.js';
import type { MailName } from '../common/views/views.js';

export type MailState = 'queued' | 'failed';

/** A mail to be sent. It is deleted once sent; a failed mail stays, to be listed and retried. */
@Entity('mails')
@Index('ix_mails_due', ['state', 'nextAttemptAt'])
@Index('ix_mails_given_up', ['state', 'expiresAt'])
@Index('ix_mails_user', ['userId'])
export class Mail {
  @PrimaryGeneratedColumn()
  id: number;

  @BelongsTo({ entity: 'User', column: 'user_id', constraint: 'fk_mails_user' })
  user?: object;

  /** The account that the mail is about; deleting the account deletes the mail. */
  @Column({ name: 'user_id', type: 'integer' })
  userId: number;

  @Column({ name: 'template', type: 'varchar', length: 32 })
  template: MailName;

  @Column({ name: 'language', type: 'varchar', length: 8 })
  language: Language;

  @Column({ name: 'recipient', type: 'varchar', length: 254 })
  recipient: string;

  /** The context of the template as JSON, encrypted under `SECRET_KEY` because it contains the link. */
  @Column({ name: 'sealed_context', type: 'text' })
  sealedContext: string;

  @Column({ name: 'state', type: 'varchar', length: 16 })
  state: MailState;

  @Column({ name: 'attempts', type: 'integer', default: 0 })
  attempts: number;

  @Column({ ...unixTime, name: 'next_attempt_at' })
  nextAttemptAt: number;

  /** The token of the worker that is sending the mail; only that worker may record the outcome. */
  @Column({ name: 'claim', type: 'varchar', length: 43, nullable: true })
  claim: string | null;

  @Column({ ...nullableUnixTime, name: 'claimed_until' })
  claimedUntil: number | null;

  /** When the link expires; afterwards the mail is not sent any more. */
  @Column({ ...unixTime, name: 'expires_at' })
  expiresAt: number;

  @Column({ name: 'last_error', type: 'varchar', length: 255, default: '' })
  lastError: string;

  @Column({ ...unixTime, name: 'created_at' })
  createdAt: number;
}
