import { Column, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';
import { SetNullOnDelete } from '../database/belongs-to.js';
import { unixTime } from '../database/columns.js';

export type ClientStatus = 'pend' | 'approved' | 'denied';

/** A third-party client that requests tokens for users (RFC 6749 section 2). */
@Entity('oauth_clients')
@Index('uq_oauth_clients_key', ['key'], { unique: true })
@Index('ix_oauth_clients_user', ['userId'])
export class OAuthClient {
  @PrimaryGeneratedColumn()
  id: number;

  /** Its `client_id`. */
  @Column({ name: 'client_key', type: 'varchar', length: 255 })
  key: string;

  /**
   * HMAC under a server key: secrets are chosen by people, and a plain hash could be reversed by guessing.
   */
  @Column({ name: 'secret_hash', type: 'varchar', length: 43 })
  secretHash: string;

  @Column({ name: 'redirect_uri', type: 'varchar', length: 2048 })
  redirectUri: string;

  @Column({ name: 'status', type: 'varchar', length: 16 })
  status: ClientStatus;

  /** When it was last denied; older tokens stay invalid even if it is approved again. 0: never. */
  @Column({ ...unixTime, name: 'denied_at', default: 0 })
  deniedAt: number;

  @SetNullOnDelete({ entity: 'User', column: 'user_id', constraint: 'fk_oauth_clients_user' })
  user?: object;

  /** Who registered it; null once that account is deleted. */
  @Column({ name: 'user_id', type: 'integer', nullable: true })
  userId: number | null;

  @Column({ ...unixTime, name: 'created_at' })
  createdAt: number;
}
