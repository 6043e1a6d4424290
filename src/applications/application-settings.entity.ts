import { Column, Entity, PrimaryColumn } from 'typeorm';
import { BelongsTo } from '../database/belongs-to.js';

/** An application's redirect URLs and its own accounts at the providers; `''` for what is not set. */
@Entity('application_settings')
export class ApplicationSettings {
  @PrimaryColumn({ name: 'application_id', type: 'integer' })
  applicationId: number;

  @BelongsTo({
    entity: 'Application',
    column: 'application_id',
    constraint: 'fk_application_settings_application',
  })
  application?: object;

  @Column({ name: 'redirect_urls', type: 'simple-json' })
  redirectUrls: string[];

  @Column({ name: 'google_client_ids', type: 'simple-json' })
  googleClientIds: string[];

  @Column({ name: 'apple_team_id', type: 'varchar', length: 64, default: '' })
  appleTeamId: string;

  @Column({ name: 'apple_key_id', type: 'varchar', length: 64, default: '' })
  appleKeyId: string;

  @Column({ name: 'apple_client_id', type: 'varchar', length: 255, default: '' })
  appleClientId: string;

  /** Secrets are encrypted under `SECRET_KEY`. */
  @Column({ name: 'sealed_apple_private_key', type: 'text' })
  sealedApplePrivateKey: string;

  @Column({ name: 'wechat_app_id', type: 'varchar', length: 64, default: '' })
  wechatAppId: string;

  @Column({ name: 'sealed_wechat_app_secret', type: 'text' })
  sealedWechatAppSecret: string;

  @Column({ name: 'wechat_web_app_id', type: 'varchar', length: 64, default: '' })
  wechatWebAppId: string;

  @Column({ name: 'sealed_wechat_web_app_secret', type: 'text' })
  sealedWechatWebAppSecret: string;

  /** Whether changes to the ways to sign in require a recent sign-in. */
  @Column({ name: 'require_recent_sign_in', type: 'boolean', default: false })
  requireRecentSignIn: boolean;
}
