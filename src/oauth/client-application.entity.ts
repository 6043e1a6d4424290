import { Entity, Index, PrimaryColumn } from 'typeorm';
import { BelongsTo } from '../database/belongs-to.js';

/** An application that a client may get tokens of its own for. */
@Entity('oauth_client_applications')
@Index('ix_oauth_client_applications_application', ['applicationId'])
export class ClientApplication {
  @PrimaryColumn({ name: 'client_id', type: 'integer' })
  clientId: number;

  @BelongsTo({
    entity: 'OAuthClient',
    column: 'client_id',
    constraint: 'fk_oauth_client_applications_client',
  })
  client?: object;

  @PrimaryColumn({ name: 'application_id', type: 'integer' })
  applicationId: number;

  @BelongsTo({
    entity: 'Application',
    column: 'application_id',
    constraint: 'fk_oauth_client_applications_application',
  })
  application?: object;
}
