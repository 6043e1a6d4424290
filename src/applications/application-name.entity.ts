import { Column, Entity, PrimaryColumn } from 'typeorm';
import { BelongsTo } from '../database/belongs-to.js';

/** The name of an application in one language. */
@Entity('application_names')
export class ApplicationName {
  @PrimaryColumn({ name: 'application_id', type: 'integer' })
  applicationId: number;

  @BelongsTo({
    entity: 'Application',
    column: 'application_id',
    constraint: 'fk_application_names_application',
  })
  application?: object;

  /** BCP 47, canonical. */
  @PrimaryColumn({ name: 'tag', type: 'varchar', length: 64 })
  tag: string;

  @Column({ name: 'name', type: 'varchar', length: 100 })
  name: string;
}
