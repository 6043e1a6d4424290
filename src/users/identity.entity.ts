import { Column, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';
import { BelongsTo } from '../database/belongs-to.js';
import { nullableUnixTime, unixTime } from '../database/columns.js';

export const providerTypes = ['google', 'apple', 'wechat'] as const;
export type ProviderType = (typeof providerTypes)[number];

export const loginTypes = ['mail', ...providerTypes] as const;
export type LoginType = (typeof loginTypes)[number];

/**
 * A way to sign in to an account: a mail address, or an account at a provider. A mail counts once it is
 * confirmed; until then any number of accounts may claim it, and an account with nothing else is a pending
 * registration.
 */
@Entity('identities')
@Index('uq_identities_subject', ['applicationId', 'loginType', 'subjectKey'], { unique: true })
@Index('ix_identities_mail', ['mailKey', 'userId'])
@Index('ix_identities_verified', ['isVerified', 'userId'])
@Index('ix_identities_pending', ['applicationId', 'pendingKey'])
@Index('ix_identities_pending_until', ['pendingUntil'])
@Index('uq_identities_user', ['userId', 'loginType'], { unique: true })
export class Identity {
  @PrimaryGeneratedColumn()
  id: number;

  @BelongsTo({ entity: 'User', column: 'user_id', constraint: 'fk_identities_user' })
  user?: object;

  @Column({ name: 'user_id', type: 'integer' })
  userId: number;

  @BelongsTo({ entity: 'Application', column: 'application_id', constraint: 'fk_identities_application' })
  application?: object;

  @Column({ name: 'application_id', type: 'integer' })
  applicationId: number;

  @Column({ name: 'login_type', type: 'varchar', length: 16 })
  loginType: LoginType;

  /**
   * The mail's comparison key, or something random while it is pending; for a provider the first of its
   * subjects in `provider_subjects`.
   */
  @Column({ name: 'subject_key', type: 'varchar', length: 255 })
  subjectKey: string;

  /** The address as its owner wrote it, or as the provider sent it; `''` for none. */
  @Column({ name: 'mail', type: 'varchar', length: 254, default: '' })
  mail: string;

  /** The search key for administrators; `''` for a bound mail that is not confirmed yet. */
  @Column({ name: 'mail_key', type: 'varchar', length: 254, default: '' })
  mailKey: string;

  @Column({ name: 'is_verified', type: 'boolean', default: false })
  isVerified: boolean;

  /** The comparison key of a pending mail; null once it is confirmed. */
  @Column({ name: 'pending_key', type: 'varchar', length: 254, nullable: true })
  pendingKey: string | null;

  /** When a pending mail and its links expire. */
  @Column({ ...nullableUnixTime, name: 'pending_until' })
  pendingUntil: number | null;

  /** Whether the mail was pending elsewhere meanwhile, in a row that has been deleted. */
  @Column({ name: 'is_contested', type: 'boolean', default: false })
  isContested: boolean;

  @Column({ ...unixTime, name: 'created_at' })
  createdAt: number;
}
