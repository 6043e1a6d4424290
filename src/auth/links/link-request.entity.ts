import { Column, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';
import { BelongsTo } from '../../database/belongs-to.js';
import { unixTime } from '../../database/columns.js';
import type { Language } from '../../common/languages.js';
import type { OneTimeTokenKind } from './one-time-token.entity.js';

/** Somebody asked for links by mail. It is deleted once the mails are queued. */
@Entity('link_requests')
@Index('ix_link_requests_application', ['applicationId'])
@Index('ix_link_requests_created', ['createdAt'])
export class LinkRequest {
  @PrimaryGeneratedColumn()
  id: number;

  @Column({ name: 'kind', type: 'varchar', length: 32 })
  kind: OneTimeTokenKind;

  @BelongsTo({
    entity: 'Application',
    column: 'application_id',
    constraint: 'fk_link_requests_application',
  })
  application?: object;

  @Column({ name: 'application_id', type: 'integer' })
  applicationId: number;

  /** A mail, or a handle; perhaps of nobody. */
  @Column({ name: 'typed', type: 'varchar', length: 254 })
  typed: string;

  @Column({ name: 'language', type: 'varchar', length: 8 })
  language: Language;

  @Column({ name: 'accept_language', type: 'varchar', length: 255 })
  acceptLanguage: string;

  @Column({ ...unixTime, name: 'created_at' })
  createdAt: number;
}
