import { Column, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';
import { BelongsTo } from '../database/belongs-to.js';
import { unixTime } from '../database/columns.js';
import type { ProviderType } from './identity.entity.js';

/**
 * A provider's identifier of a person. Google and Apple have one; WeChat has one for each app and one for all
 * of them. Each of them signs in to the same identity.
 */
@Entity('provider_subjects')
@Index('uq_provider_subjects_subject', ['applicationId', 'loginType', 'subject'], { unique: true })
@Index('ix_provider_subjects_identity', ['identityId'])
export class ProviderSubject {
  @PrimaryGeneratedColumn()
  id: number;

  @BelongsTo({ entity: 'Identity', column: 'identity_id', constraint: 'fk_provider_subjects_identity' })
  identity?: object;

  @Column({ name: 'identity_id', type: 'integer' })
  identityId: number;

  @BelongsTo({
    entity: 'Application',
    column: 'application_id',
    constraint: 'fk_provider_subjects_application',
  })
  application?: object;

  @Column({ name: 'application_id', type: 'integer' })
  applicationId: number;

  @Column({ name: 'login_type', type: 'varchar', length: 16 })
  loginType: ProviderType;

  /** Compared case-sensitively. */
  @Column({ name: 'subject', type: 'varchar', length: 255 })
  subject: string;

  @Column({ ...unixTime, name: 'created_at' })
  createdAt: number;
}
