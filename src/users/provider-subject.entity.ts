import { Column, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';
import { BelongsTo } from '../database/belongs-to.js';
import { unixTime } from '../database/columns.js';
import type { ProviderType } from './identity.entity.js';

/**
 * One of the names by which a provider knows a person. Google and Apple have one; WeChat has one for each of its apps
 * and one for all of them. Whoever signs in by any of them has the identity.
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

  /** Compared as it is, with regard to case. */
  @Column({ name: 'subject', type: 'varchar', length: 255 })
  subject: string;

  @Column({ ...unixTime, name: 'created_at' })
  createdAt: number;
}
