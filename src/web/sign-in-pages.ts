import { Injectable } from '@nestjs/common';
import { PlutoError } from '../common/errors.js';
import type { LoginError } from '../common/views/views.js';
import type { Application } from '../applications/application.entity.js';
import { ApplicationsService } from '../applications/applications.service.js';
import { PLUTO } from '../applications/pluto-names.js';
import { ProviderSettingsService } from '../applications/provider-settings.service.js';
import { pageAddress } from './next-page.js';
import { PageAddresses } from './page-addresses.js';
import type { Exchange } from './page.js';
import { Pages } from './pages.js';

export const LOGIN_PATH = '/web/login';
export const LOGOUT_PATH = '/web/logout';
export const FORGOT_PATH = '/web/password/forgot';
export const WECHAT_PATH = '/web/login/wechat';

/** The target of a sign-in page. */
export interface SignInTarget {
  application: Application;
  /** The page to continue with; `''` for none. */
  next: string;
}

/** Shared by the sign-in pages. */
@Injectable()
export class SignInPages {
  constructor(
    private readonly applications: ApplicationsService,
    private readonly providerSettings: ProviderSettingsService,
    private readonly pages: Pages,
    private readonly addresses: PageAddresses,
  ) {}

  /**
   * The application of a page; `pluto` by default.
   * @throws PlutoError applicationNotExist
   */
  async applicationOf(name: unknown): Promise<Application> {
    const wanted = name === undefined || name === '' ? PLUTO.application : name;
    const application = typeof wanted === 'string' ? await this.applications.findByName(wanted) : null;
    if (!application) throw new PlutoError('applicationNotExist', { page: 'application' });
    return application;
  }

  async renderLogin(
    exchange: Exchange,
    { application, next }: SignInTarget,
    { account = '', error }: { account?: string; error?: LoginError } = {},
  ): Promise<string> {
    const { wechatWeb } = await this.providerSettings.get(application.id);
    const query = { app_id: application.name, next };
    return this.pages.renderFormTo(exchange, LOGIN_PATH, 'login', {
      applicationName: await this.pages.nameOf(application, exchange),
      applicationId: application.name,
      next,
      account,
      error,
      forgotHref: this.addresses.of(pageAddress(FORGOT_PATH, query)),
      wechatHref: wechatWeb ? this.addresses.of(pageAddress(WECHAT_PATH, query)) : undefined,
    });
  }
}

/** The sign-in page of the application. */
export function loginAddress({ application, next }: SignInTarget): string {
  return pageAddress(LOGIN_PATH, { app_id: application.name, next });
}

/** The page to continue with after signing in. */
export function onward({ application, next }: SignInTarget): string {
  return next === '' ? loginAddress({ application, next }) : next;
}
