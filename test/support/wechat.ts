import { createHash, randomBytes } from 'node:crypto';
import { nextNumber } from './client.js';
import {
  nowInSeconds,
  ProviderServer,
  type Endpoint,
  type Parameters,
  type Reply,
} from './provider-server.js';

export const WECHAT_APP = 'wx0mobile0mobile00';
export const WECHAT_WEB_APP = 'wx0website0website';
export const WECHAT_TOKEN = '/sns/oauth2/access_token';
export const WECHAT_USERINFO = '/sns/userinfo';
export const WECHAT_QR_CONNECT = '/connect/qrconnect';

// Real secrets are 32 hexadecimal digits; these do not survive a query that is not encoded.
const APP_SECRET = 'secret+of&the=mobile%20app?#/32';
const WEB_APP_SECRET = 'secret+of&the=website%20app?#/32';
const CODE_TTL_SECONDS = 600;
const ACCESS_TOKEN_TTL_SECONDS = 7200;

const errors = {
  [-1]: 'system error',
  40001: 'invalid credential, access_token is invalid or not latest',
  40002: 'invalid grant_type',
  40003: 'invalid openid',
  40013: 'invalid appid',
  40029: 'invalid code',
  40125: 'invalid appsecret',
  40163: 'code been used',
  41001: 'access_token missing',
  41002: 'appid missing',
  41004: 'appsecret missing',
  41008: 'missing code',
  41009: 'missing openid',
  42003: 'code expired',
} as const;

type Scope = 'snsapi_userinfo' | 'snsapi_login';

/** Somebody with WeChat. What is changed later shows in later answers. */
export interface WechatPerson {
  readonly number: number;
  /** Absent from answers when undefined. */
  unionid: string | undefined;
  nickname: string;
  headimgurl: string;
}

interface Grant {
  person: WechatPerson;
  appid: string;
  expiresAt: number;
  isUsed: boolean;
}

/**
 * WeChat as a server and a browser see it: `api.weixin.qq.com` and `open.weixin.qq.com` in one.
 * @see https://developers.weixin.qq.com/doc/oplatform/Website_App/WeChat_Login/Wechat_Login.html
 * @see https://developers.weixin.qq.com/doc/oplatform/Mobile_App/WeChat_Login/Authorized_API_call_UnionID.html
 */
export class FakeWechat extends ProviderServer {
  /** The host that redirect URIs must have; any without. */
  callbackHost: string | undefined;
  private readonly apps = new Map<string, { secret: string; scope: Scope }>();
  private readonly codes = new Map<string, Grant>();
  private readonly accessTokens = new Map<string, Grant>();
  /** Who answers the QR code: nobody yet, or somebody who declines. */
  private scanner: WechatPerson | 'nobody' | 'decliner' = 'nobody';
  protected readonly endpoints: Record<string, Endpoint> = {
    [WECHAT_TOKEN]: {
      method: 'GET',
      required: ['appid', 'secret', 'code', 'grant_type'],
      answer: (parameters) => this.exchange(parameters),
    },
    [WECHAT_USERINFO]: {
      method: 'GET',
      required: ['access_token', 'openid'],
      optional: ['lang'],
      answer: (parameters) => this.userinfo(parameters),
    },
    [WECHAT_QR_CONNECT]: {
      method: 'GET',
      required: ['appid', 'redirect_uri', 'response_type', 'scope', 'state'],
      optional: ['lang'],
      answer: (parameters) => this.qrConnect(parameters),
    },
  };

  static async start(): Promise<FakeWechat> {
    const wechat = new FakeWechat();
    wechat.addApp(WECHAT_APP, APP_SECRET);
    wechat.addApp(WECHAT_WEB_APP, WEB_APP_SECRET, 'snsapi_login');
    return wechat.listen();
  }

  get env() {
    return {
      WECHAT_API_URL: this.url,
      WECHAT_OPEN_URL: this.url,
      WECHAT_APP_ID: WECHAT_APP,
      WECHAT_APP_SECRET: APP_SECRET,
      WECHAT_WEB_APP_ID: WECHAT_WEB_APP,
      WECHAT_WEB_APP_SECRET: WEB_APP_SECRET,
    };
  }

  /** @param scope `snsapi_login` is that of a website app */
  addApp(appid: string, secret: string, scope: Scope = 'snsapi_userinfo'): void {
    this.apps.set(appid, { secret, scope });
  }

  /** Somebody new, with a unionid unless it is given as undefined. */
  person(given: Partial<Omit<WechatPerson, 'number'>> = {}): WechatPerson {
    const number = nextNumber();
    return {
      number,
      unionid: idOf(`union of ${number}`),
      nickname: `微信用户 ${number}`,
      headimgurl: `https://thirdwx.qlogo.cn/mmopen/vi_32/person${number}/132`,
      ...given,
    };
  }

  /** The person's id in that app, and in no other. */
  openidOf(person: WechatPerson, appid = WECHAT_APP): string {
    return idOf(`${person.number} in ${appid}`);
  }

  /** A code as the app gets it, good for once and ten minutes. */
  code(person: WechatPerson, appid = WECHAT_APP): string {
    const code = `0${randomBytes(24).toString('base64url').slice(0, 31)}`;
    this.codes.set(code, { person, appid, expiresAt: nowInSeconds() + CODE_TTL_SECONDS, isUsed: false });
    return code;
  }

  /** From now on the person scans each QR code and agrees. */
  scanAs(person: WechatPerson): void {
    this.scanner = person;
  }

  /**
   * From now on each QR code is scanned by somebody who does not agree; newer WeChat stays on its page then.
   */
  decline(): void {
    this.scanner = 'decliner';
  }

  /** Answers the next call of a path with that errcode. */
  failNext(path: typeof WECHAT_TOKEN | typeof WECHAT_USERINFO, errcode: number): void {
    this.fail(path, refusal(errcode), 1);
  }

  private exchange({ appid, secret, code, grant_type: grantType }: Parameters): Reply {
    if (!appid) return refusal(41002);
    if (!secret) return refusal(41004);
    const app = this.apps.get(appid);
    if (!app) return this.refuseClient(40013, `GET ${WECHAT_TOKEN} with appid ${appid}`);
    if (app.secret !== secret) return this.refuseClient(40125, `GET ${WECHAT_TOKEN} with secret ${secret}`);
    if (!code) return refusal(41008);
    if (grantType !== 'authorization_code') {
      this.unexpected.push(`GET ${WECHAT_TOKEN} with grant_type ${grantType}`);
      return refusal(40002);
    }
    const grant = this.codes.get(code);
    if (grant?.appid !== appid) return refusal(40029);
    if (grant.isUsed) return refusal(40163);
    if (grant.expiresAt <= nowInSeconds()) return refusal(42003);
    grant.isUsed = true;
    const accessToken = newToken();
    this.accessTokens.set(accessToken, grant);
    return plain({
      access_token: accessToken,
      expires_in: ACCESS_TOKEN_TTL_SECONDS,
      refresh_token: newToken(),
      openid: this.openidOf(grant.person, appid),
      scope: app.scope,
      unionid: grant.person.unionid,
    });
  }

  private userinfo({ access_token: accessToken, openid }: Parameters): Reply {
    if (!accessToken) return refusal(41001);
    if (!openid) return refusal(41009);
    const grant = this.accessTokens.get(accessToken);
    if (!grant) return this.refuseClient(40001, `GET ${WECHAT_USERINFO} with access_token ${accessToken}`);
    const { person, appid } = grant;
    if (openid !== this.openidOf(person, appid)) return refusal(40003);
    const { nickname, headimgurl, unionid } = person;
    const place = { province: '', city: '', country: '' };
    return plain({ openid, nickname, sex: 0, ...place, headimgurl, privilege: [], unionid });
  }

  private qrConnect({ appid = '', redirect_uri: redirectUri = '', ...parameters }: Parameters): Reply {
    const { response_type: responseType, scope, state = '' } = parameters;
    const app = this.apps.get(appid);
    if (!app) return this.refusePage(`appid ${appid}`);
    if (!this.isCallback(redirectUri)) return this.refusePage(`redirect_uri ${redirectUri}`);
    if (responseType !== 'code') return this.refusePage(`response_type ${responseType}`);
    if (scope !== 'snsapi_login' || app.scope !== scope)
      return this.refusePage(`scope ${scope} for ${appid}`);
    if (!/^[a-zA-Z0-9]{0,128}$/.test(state)) return this.refusePage(`state ${state}`);
    if (this.scanner === 'nobody') return page('<img alt="QR code">');
    const location = new URL(redirectUri);
    if (this.scanner !== 'decliner') location.searchParams.append('code', this.code(this.scanner, appid));
    location.searchParams.append('state', state);
    return { status: 302, headers: { location: location.href } };
  }

  private isCallback(redirectUri: string): boolean {
    if (!/^https?:/.test(redirectUri) || !URL.canParse(redirectUri)) return false;
    return this.callbackHost === undefined || new URL(redirectUri).host === this.callbackHost;
  }

  private refuseClient(errcode: number, why: string): Reply {
    this.noteInvalidClient(why);
    return refusal(errcode);
  }

  private refusePage(why: string): Reply {
    this.unexpected.push(`GET ${WECHAT_QR_CONNECT} with ${why}`);
    return page('参数错误');
  }
}

/** WeChat says so of its JSON, errors included, and names no charset. */
function plain(body: Reply['body']): Reply {
  return { contentType: 'text/plain', body };
}

function page(text: string): Reply {
  return { contentType: 'text/html; charset=utf-8', body: `<!doctype html><title>微信登录</title>${text}` };
}

function refusal(errcode: number): Reply {
  const errmsg = errors[errcode as keyof typeof errors] ?? 'error';
  const rid = randomBytes(12)
    .toString('hex')
    .replace(/(.{8})(.{8})/, '$1-$2-');
  return plain(JSON.stringify({ errcode, errmsg: `${errmsg}, rid: ${rid}` }));
}

function idOf(what: string): string {
  return `o${createHash('sha256').update(what).digest('base64url').slice(0, 27)}`;
}

function newToken(): string {
  return `90_${randomBytes(48).toString('base64url')}`;
}
