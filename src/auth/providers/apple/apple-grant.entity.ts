import { Column, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';
import { SetNullOnDelete, BelongsTo } from '../../../database/belongs-to.js';
import { unixTime } from '../../../database/columns.js';

/**
 * A person's authorization at Apple for one of our client ids. It must be revoked at Apple once its identity
 * is deleted; the foreign key records that in the same transaction, however the identity is deleted.
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

  /** Null once Apple is unbound or the account deleted. */
  @Column({ name: 'identity_id', type: 'integer', nullable: true })
  identityId: number | null;

  /** The client that Apple issued the token to; only that client can revoke it. */
  @Column({ name: 'client_id', type: 'varchar', length: 255 })
  clientId: string;

  /** HMAC of Apple's subject, to recognise the person when they sign in again. */
  @Column({ name: 'subject_hash', type: 'varchar', length: 43 })
  subjectHash: string;

  /** Encrypted under `SECRET_KEY`. */
  @Column({ name: 'sealed_refresh_token', type: 'text' })
  sealedRefreshToken: string;

  /** Attempts to revoke it. */
  @Column({ name: 'attempts', type: 'integer', default: 0 })
  attempts: number;

  @Column({ ...unixTime, name: 'next_attempt_at' })
  nextAttemptAt: number;

  @Column({ name: 'last_error', type: 'varchar', length: 255, default: '' })
  lastError: string;

  @Column({ ...unixTime, name: 'created_at' })
  createdAt: number;
}
