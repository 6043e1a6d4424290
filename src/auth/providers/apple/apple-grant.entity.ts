import { Column, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';
import { SetNullOnDelete, BelongsTo } from '../../../database/belongs-to.js';
import { unixTime } from '../../../database/columns.js';

/**
 * What Apple was asked for a person by one of our client ids. It is to be revoked at Apple once its identity is gone,
 * by whatever way that went: the foreign key says so in the same transaction.
 */
@Entity('apple_grants')
@Index('uq_apple_grants_client', ['identityId', 'clientId'], { unique: true })
@Index('ix_apple_grants_due', ['identityId', 'nextAttemptAt'])
@Index('ix_apple_grants_subject', ['clientId', 'subjectHash'])
@Index('ix_apple_grants_application', ['applicationId'])
export class AppleGrant {
  @PrimaryGeneratedColumn()
  id: number;

  @BelongsTo({ entity: 'Application', column: 'application_id', constraint: 'fk_apple_grants_application' })
  application?: object;

  @Column({ name: 'application_id', type: 'integer' })
  applicationId: number;

  @SetNullOnDelete({ entity: 'Identity', column: 'identity_id', constraint: 'fk_apple_grants_identity' })
  identity?: object;

  /** Null once Apple was unbound or the account deleted. */
  @Column({ name: 'identity_id', type: 'integer', nullable: true })
  identityId: number | null;

  /** The client that Apple issued the token to, which alone can revoke it. */
  @Column({ name: 'client_id', type: 'varchar', length: 255 })
  clientId: string;

  /** HMAC of what Apple calls the person: to recognise them when they come back. */
  @Column({ name: 'subject_hash', type: 'varchar', length: 43 })
  subjectHash: string;

  /** Encrypted under `SECRET_KEY`. */
  @Column({ name: 'sealed_refresh_token', type: 'text' })
  sealedRefreshToken: string;

  /** Of revoking it. */
  @Column({ name: 'attempts', type: 'integer', default: 0 })
  attempts: number;

  @Column({ ...unixTime, name: 'next_attempt_at' })
  nextAttemptAt: number;

  @Column({ name: 'last_error', type: 'varchar', length: 255, default: '' })
  lastError: string;

  @Column({ ...unixTime, name: 'created_at' })
  createdAt: number;
}
