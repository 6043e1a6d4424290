import { Injectable } from '@nestjs/common';
import { DataSource, LessThanOrEqual } from 'typeorm';
import type { Caller } from '../common/caller.js';
import { PlutoError } from '../common/errors.js';
import { nowSeconds } from '../common/time.js';
import { SecretKey } from '../config/secret-key.js';
import { Settings } from '../config/settings.js';
import { isUniqueViolation } from '../database/constraints.js';
import { ApplicationsService } from '../rbac/applications.service.js';
import { ProviderSettingsService } from '../rbac/provider-settings.service.js';
import type { TokenPair } from '../token/token-issuer.service.js';
import { ProviderLoginService } from './provider-login.service.js';
import { configured } from './providers/identity-provider.js';
import { WechatProvider } from './providers/wechat.provider.js';
import { SpentState } from './spent-state.entity.js';
import { openState, returnHashOf, signState, type WechatState } from './wechat-state.js';

/** Under `PUBLIC_URL`; where a sign-in begins and where WeChat sends the browser back to. */
export const WECHAT_WEB_PATH = 'v1/user/login/wechat/web';

/** Time to find the phone and to scan the code. */
const STATE_TTL_SECONDS = 600;

/** Signs people in on the web by the QR code of WeChat. */
@Injectable()
export class WechatWebLoginService {
  private readonly stateKey: Buffer;

  constructor(
    private readonly dataSource: DataSource,
    private readonly applications: ApplicationsService,
    private readonly providerSettings: ProviderSettingsService,
    private readonly wechat: WechatProvider,
    private readonly logins: ProviderLoginService,
    private readonly settings: Settings,
    secretKey: SecretKey,
  ) {
    this.stateKey = secretKey.derive('wechat-state');
  }

  /**
   * Begins a sign-in.
   * @param redirectUrl one of the application's allowed URLs, to return to with the token; `''` for none
   * @returns the address of WeChat's page with the QR code, and the state in it
   * @throws PlutoError applicationNotExist | forbidden
   */
  async start(
    applicationName: string,
    redirectUrl: string,
  ): Promise<{ authorizeUrl: string; state: string }> {
    const application = await this.applications.getByName(applicationName);
    const { wechatWeb, redirectUrls } = await this.providerSettings.get(application.id);
    const { appId } = configured(wechatWeb, 'WeChat on the web', application);
    if (redirectUrl !== '' && !redirectUrls.includes(redirectUrl)) throw notAllowed();
    const state = signState(this.stateKey, {
      applicationId: application.id,
      returnHash: returnHashOf(redirectUrl),
      expiresAt: nowSeconds() + STATE_TTL_SECONDS,
    });
    const query = new URLSearchParams({
      appid: appId,
      redirect_uri: `${this.settings.publicUrl}/${WECHAT_WEB_PATH}`,
      response_type: 'code',
      scope: 'snsapi_login',
      state,
    });
    return {
      authorizeUrl: `${this.settings.wechat.openUrl}/connect/qrconnect?${query.toString()}#wechat_redirect`,
      state,
    };
  }

  /**
   * Ends a sign-in with what WeChat sent the browser back with.
   * @param code left out when the person has declined
   * @returns the tokens, and the URL to return to; `''` for none
   * @throws PlutoError forbidden | invalidWechatCode | serviceUnavailable
   */
  async finish(
    stateText: string,
    code: string | undefined,
    caller: Caller,
  ): Promise<{ tokens: TokenPair; redirectUrl: string }> {
    const state = openState(this.stateKey, stateText);
    if (!state || state.expiresAt <= nowSeconds()) throw staleState();
    const redirectUrl = await this.returnUrlOf(state);
    await this.spend(state);
    if (code === undefined)
      throw new PlutoError('invalidWechatCode', {
        message: 'Invalid Wechat Code: the sign-in was declined at WeChat',
      });
    const application = await this.applications.getById(state.applicationId);
    const person = await this.wechat.identifyOnWeb(application, code);
    return { tokens: await this.logins.signIn(application, 'wechat', person, { caller }), redirectUrl };
  }

  async purgeExpired(): Promise<void> {
    await this.dataSource.manager.delete(SpentState, { expiresAt: LessThanOrEqual(nowSeconds()) });
  }

  /** The URL has to be on the list still. */
  private async returnUrlOf({ applicationId, returnHash }: WechatState): Promise<string> {
    const { redirectUrls } = await this.providerSettings.get(applicationId);
    const url = ['', ...redirectUrls].find((candidate) => returnHashOf(candidate) === returnHash);
    if (url === undefined) throw notAllowed();
    return url;
  }

  private async spend({ nonce, expiresAt }: WechatState): Promise<void> {
    try {
      await this.dataSource.manager.insert(SpentState, { nonce, expiresAt });
    } catch (error) {
      if (isUniqueViolation(error)) throw staleState();
      throw error;
    }
  }
}

function notAllowed(): PlutoError {
  return new PlutoError('forbidden', {
    message: 'Operation Forbidden: redirect_url is not on the list of the application',
  });
}

function staleState(): PlutoError {
  return new PlutoError('forbidden', {
    message: 'Operation Forbidden: the state is unknown, expired or used; begin the sign-in again',
  });
}
