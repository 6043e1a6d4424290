import { Injectable } from '@nestjs/common';
import { DataSource, LessThanOrEqual } from 'typeorm';
import type { Caller } from '../../../common/caller.js';
import { PlutoError } from '../../../common/errors.js';
import type { RequestContext } from '../../../common/request-context.js';
import { nowSeconds } from '../../../common/time.js';
import { SecretKey } from '../../../config/secret-key.js';
import { Settings } from '../../../config/settings.js';
import { isUniqueViolation } from '../../../database/constraints.js';
import { Purge } from '../../../database/jobs/purge.js';
import { Transactions } from '../../../database/transactions.js';
import type { Application } from '../../../applications/application.entity.js';
import { ApplicationsService } from '../../../applications/applications.service.js';
import { ProviderSettingsService } from '../../../applications/provider-settings.service.js';
import { PageSessionsService } from '../../../token/page-sessions.service.js';
import type { TokenPair } from '../../../token/token-issuer.service.js';
import { ProviderLoginService } from '../provider-login.service.js';
import { configured, type ExternalIdentity } from '../identity-provider.js';
import { WechatProvider } from './wechat.provider.js';
import { ConsumedState } from './consumed-state.entity.js';
import { openState, returnHashOf, signState, type WechatState } from './wechat-state.js';

/** Under `PUBLIC_URL`; starts a sign-in, and WeChat redirects the browser back to it. */
export const WECHAT_WEB_PATH = 'v1/user/login/wechat/web';

/** WeChat redirects browsers that sign in to the hosted pages back to this path. */
export const WECHAT_PAGE_PATH = 'web/login/wechat/back';

/** Time to find the phone and scan the code. */
export const STATE_TTL_SECONDS = 600;

/** Signs people in on the web with WeChat's QR code. */
@Injectable()
export class WechatWebLoginService {
  private readonly stateKey: Buffer;

  constructor(
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly pageSessions: PageSessionsService,
    private readonly applications: ApplicationsService,
    private readonly providerSettings: ProviderSettingsService,
    private readonly wechat: WechatProvider,
    private readonly logins: ProviderLoginService,
    private readonly settings: Settings,
    private readonly purge: Purge,
    secretKey: SecretKey,
  ) {
    this.stateKey = secretKey.derive('wechat-state');
  }

  /**
   * Starts a sign-in.
   * @param redirectUrl one of the application's allowed URLs, to return to with the token; `''` for none
   * @param browserSecret known to the browser that alone can complete the sign-in; `''` for any
   * @returns the URL of WeChat's page with the QR code, and the state in it
   * @throws PlutoError applicationNotExist | forbidden
   */
  async start(
    applicationName: string,
    redirectUrl: string,
    browserSecret: string,
  ): Promise<{ authorizeUrl: string; state: string }> {
    const application = await this.applications.getByName(applicationName);
    const { redirectUrls } = await this.providerSettings.get(application.id);
    if (redirectUrl !== '' && !redirectUrls.includes(redirectUrl)) throw notAllowed();
    return this.begin(application, returnTo(redirectUrl, browserSecret), WECHAT_WEB_PATH);
  }

  /**
   * Starts a sign-in to the hosted pages, which only the same browser can complete.
   * @param browserSecret known to that browser
   * @returns the URL of WeChat's page with the QR code
   * @throws PlutoError applicationNotExist | forbidden
   */
  async startInBrowser(applicationName: string, browserSecret: string): Promise<string> {
    const application = await this.applications.getByName(applicationName);
    const { authorizeUrl } = await this.begin(application, inBrowser(browserSecret), WECHAT_PAGE_PATH);
    return authorizeUrl;
  }

  /**
   * Completes a sign-in with the parameters of WeChat's redirect.
   * @param code missing if the person declined
   * @param browserSecret of the browser that was redirected; `''` for none
   * @returns the tokens, and the URL to return to; `''` for none
   * @throws PlutoError forbidden | invalidWechatCode | serviceUnavailable
   */
  async finish(
    stateText: string,
    code: string | undefined,
    browserSecret: string,
    caller: Caller,
  ): Promise<{ tokens: TokenPair; redirectUrl: string }> {
    const state = this.open(stateText);
    const redirectUrl = await this.returnUrlOf(state, browserSecret);
    const { application, person } = await this.identify(state, code, caller);
    const isRefreshable = redirectUrl === '';
    const tokens = await this.logins.signIn(application, 'wechat', person, { caller, isRefreshable });
    return { tokens, redirectUrl };
  }

  /**
   * Completes a sign-in to the hosted pages.
   * @param browser.secret the one that the sign-in was started with
   * @param browser.replaced token of the browser's previous session, which ends; `''` for none
   * @param browser.identifiers of the device, see `deviceIdentifiers`
   * @returns the token of the browser's session, and the application that it is for
   * @throws PlutoError forbidden | invalidWechatCode | serviceUnavailable
   */
  async finishInBrowser(
    stateText: string,
    code: string | undefined,
    { secret, replaced, identifiers }: { secret: string; replaced: string; identifiers: string[] },
    caller: Caller,
  ): Promise<{ pageToken: string; application: Application }> {
    const state = this.open(stateText);
    if (state.returnHash !== returnHashOf(inBrowser(secret))) throw staleState();
    const { application, person } = await this.identify(state, code, caller);
    const { address, userAgent } = caller;
    const pageToken = await this.transactions.runFor(caller, async (manager) => {
      const userId = await this.logins.authenticate(manager, application, 'wechat', { person, identifiers });
      const session = {
        userId,
        applicationId: application.id,
        signedInBy: 'wechat' as const,
        address,
        userAgent,
      };
      return this.pageSessions.open(manager, session, replaced);
    });
    return { pageToken, application };
  }

  async purgeExpired(signal: AbortSignal): Promise<void> {
    const where = { expiresAt: LessThanOrEqual(nowSeconds()) };
    await this.purge.where(ConsumedState, { where, order: { expiresAt: 'ASC' } }, signal);
  }

  /** @param boundTo what the sign-in must be completed with */
  private async begin(
    application: Application,
    boundTo: string,
    path: string,
  ): Promise<{ authorizeUrl: string; state: string }> {
    const { wechatWeb } = await this.providerSettings.get(application.id);
    const { appId } = configured(wechatWeb, 'WeChat on the web', application);
    const state = signState(this.stateKey, {
      applicationId: application.id,
      returnHash: returnHashOf(boundTo),
      expiresAt: nowSeconds() + STATE_TTL_SECONDS,
    });
    const query = new URLSearchParams({
      appid: appId,
      redirect_uri: `${this.settings.publicUrl}/${path}`,
      response_type: 'code',
      scope: 'snsapi_login',
      state,
    });
    return {
      authorizeUrl: `${this.settings.wechat.openUrl}/connect/qrconnect?${query.toString()}#wechat_redirect`,
      state,
    };
  }

  private open(stateText: string): WechatState {
    const state = openState(this.stateKey, stateText);
    if (!state || state.expiresAt <= nowSeconds()) throw staleState();
    return state;
  }

  /** Consumes the state, and asks WeChat who the person is. */
  private async identify(
    state: WechatState,
    code: string | undefined,
    context: RequestContext,
  ): Promise<{ application: Application; person: ExternalIdentity }> {
    await this.spend(state);
    if (code === undefined)
      throw new PlutoError('invalidWechatCode', {
        message: 'Invalid Wechat Code: the sign-in was declined at WeChat',
      });
    const application = await this.applications.getById(state.applicationId);
    const person = await this.wechat
      .identifyOnWeb(application, code)
      .catch((error: unknown) => this.logins.refused(application, 'wechat', error, context));
    return { application, person };
  }

  /** The URL must still be allowed, and the browser that of the start. */
  private async returnUrlOf(
    { applicationId, returnHash }: WechatState,
    browserSecret: string,
  ): Promise<string> {
    if (returnHash === returnHashOf(returnTo('', ''))) return '';
    if (browserSecret === '') throw otherBrowser();
    const { redirectUrls } = await this.providerSettings.get(applicationId);
    const url = ['', ...redirectUrls].find(
      (candidate) => returnHashOf(returnTo(candidate, browserSecret)) === returnHash,
    );
    if (url === undefined) throw otherBrowser();
    return url;
  }

  private async spend({ nonce, expiresAt }: WechatState): Promise<void> {
    try {
      await this.dataSource.manager.insert(ConsumedState, { nonce, expiresAt });
    } catch (error) {
      if (isUniqueViolation(error)) throw staleState();
      throw error;
    }
  }
}

/** RFC 9700 section 4.7: bound to the browser, so that nobody is signed in to the account of an attacker. */
function returnTo(redirectUrl: string, browserSecret: string): string {
  return browserSecret === '' ? redirectUrl : `${redirectUrl}\n${browserSecret}`;
}

/** Not a URL, so that a state of the API is not valid for the pages. */
function inBrowser(secret: string): string {
  return `browser:${secret}`;
}

function notAllowed(): PlutoError {
  return new PlutoError('forbidden', {
    message: 'Operation Forbidden: redirect_url is not allowed for the application',
  });
}

/** The state has only hashes, so which of the two it is cannot be told. */
function otherBrowser(): PlutoError {
  return new PlutoError('forbidden', {
    message:
      'Operation Forbidden: the sign-in was started in another browser, or its redirect_url is no longer allowed',
  });
}

function staleState(): PlutoError {
  return new PlutoError('forbidden', {
    message: 'Operation Forbidden: the state is unknown, expired or used; start the sign-in again',
  });
}
