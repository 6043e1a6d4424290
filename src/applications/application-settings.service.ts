import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { seal, unseal } from '../common/crypto.js';
import type { RequestContext } from '../common/request-context.js';
import { badRequest } from '../common/validation.pipe.js';
import { SecretKey } from '../config/secret-key.js';
import { SecurityEvents } from '../events/security-events.js';
import { Transactions } from '../database/transactions.js';
import { ApplicationSettings } from './application-settings.entity.js';
import { ApplicationsService } from './applications.service.js';

const secretColumns = {
  applePrivateKey: 'sealedApplePrivateKey',
  wechatAppSecret: 'sealedWechatAppSecret',
  wechatWebAppSecret: 'sealedWechatWebAppSecret',
} as const satisfies Record<string, keyof ApplicationSettings>;

type SecretName = keyof typeof secretColumns;
type PlainName = Exclude<
  keyof ApplicationSettings,
  'applicationId' | 'application' | (typeof secretColumns)[SecretName]
>;

/** Given fields are set, `''` or `[]` clears a field, omitted fields stay unchanged. */
export type SettingsChange = Partial<Pick<ApplicationSettings, PlainName> & Record<SecretName, string>>;

/** Manages an application's redirect URLs, its accounts at the providers and its rules. */
@Injectable()
export class ApplicationSettingsService {
  private readonly sealingKey: Buffer;

  constructor(
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly applications: ApplicationsService,
    private readonly events: SecurityEvents,
    secretKey: SecretKey,
  ) {
    this.sealingKey = secretKey.derive('application-settings');
  }

  /** @throws PlutoError applicationNotExist */
  async get(applicationId: number): Promise<ApplicationSettings> {
    await this.applications.getById(applicationId);
    return this.read(this.dataSource.manager, applicationId);
  }

  async requiresRecentSignIn(applicationId: number): Promise<boolean> {
    return (await this.read(this.dataSource.manager, applicationId)).requireRecentSignIn;
  }

  /** @throws PlutoError applicationNotExist | badRequest, if a provider would be set only partly */
  async change(
    applicationId: number,
    change: SettingsChange,
    context: RequestContext,
  ): Promise<ApplicationSettings> {
    return this.transactions.runFor(context, async (manager) => {
      await this.applications.lock(manager, applicationId);
      const settings = {
        ...(await this.read(manager, applicationId)),
        ...this.columnsOf(applicationId, change),
      };
      refusePartialProviders(settings);
      const saved = await manager.save(ApplicationSettings, settings);
      await this.events.publish(manager, {
        type: 'application.changed',
        applicationId,
        userId: null,
        detail: { change: 'settings' },
      });
      return saved;
    });
  }

  /**
   * Decrypts a secret of the application; `''` if it is not set. Must not be sent to anyone but its provider.
   */
  reveal(settings: ApplicationSettings, name: SecretName): string {
    const sealed = settings[secretColumns[name]];
    return sealed === '' ? '' : unseal(this.sealingKey, sealContext(settings.applicationId, name), sealed);
  }

  private async read(manager: EntityManager, applicationId: number): Promise<ApplicationSettings> {
    return (await manager.findOneBy(ApplicationSettings, { applicationId })) ?? unset(applicationId);
  }

  private columnsOf(applicationId: number, change: SettingsChange): Partial<ApplicationSettings> {
    const given = Object.entries(change).filter(([, value]) => value !== undefined);
    return Object.fromEntries(
      given.map(([name, value]) =>
        isSecretName(name)
          ? [secretColumns[name], this.sealed(applicationId, name, String(value))]
          : [name, value],
      ),
    );
  }

  private sealed(applicationId: number, name: SecretName, value: string): string {
    return value === '' ? '' : seal(this.sealingKey, sealContext(applicationId, name), value);
  }
}

function sealContext(applicationId: number, name: SecretName): string {
  return `${applicationId}:${name}`;
}

function isSecretName(name: string): name is SecretName {
  return name in secretColumns;
}

function unset(applicationId: number): ApplicationSettings {
  return {
    applicationId,
    redirectUrls: [],
    googleClientIds: [],
    appleTeamId: '',
    appleKeyId: '',
    appleClientId: '',
    sealedApplePrivateKey: '',
    wechatAppId: '',
    sealedWechatAppSecret: '',
    wechatWebAppId: '',
    sealedWechatWebAppSecret: '',
    requireRecentSignIn: false,
  };
}

/** A provider with half of its settings would fail only at the first sign-in. */
function refusePartialProviders(settings: ApplicationSettings): void {
  const groups: Record<string, string[]> = {
    'apple_team_id, apple_key_id, apple_client_id and apple_private_key': [
      settings.appleTeamId,
      settings.appleKeyId,
      settings.appleClientId,
      settings.sealedApplePrivateKey,
    ],
    'wechat_app_id and wechat_app_secret': [settings.wechatAppId, settings.sealedWechatAppSecret],
    'wechat_web_app_id and wechat_web_app_secret': [
      settings.wechatWebAppId,
      settings.sealedWechatWebAppSecret,
    ],
  };
  const faults = Object.entries(groups)
    .filter(([, values]) => values.includes('') && values.some((value) => value !== ''))
    .map(([names]) => `${names} must be set together`);
  if (faults.length > 0) throw badRequest(faults);
}
