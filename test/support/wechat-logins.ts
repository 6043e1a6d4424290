import { User } from '../../src/users/user.entity.js';
import { addAdministrator, type Administrator } from './administration.js';
import { startTestApp, type TestApp } from './app.js';
import { addApplication, type TestApplication } from './applications.js';
import { nextNumber, type Answer } from './client.js';
import { thawClock } from './clock.js';
import { expectOk } from './expectations.js';
import type { Fields } from './provider-server.js';
import { decodeToken } from './tokens.js';
import { FakeWechat, WECHAT_APP, WECHAT_WEB_APP, type WechatPerson } from './wechat.js';

export const MOBILE = '/v1/user/login/wechat/mobile';
const WEB = '/v1/user/login/wechat/web';
export const OWN_APP = 'wx1own1own1own1own';
export const OWN_SECRET = 'own+secret&of=the%20shop';

export let wechat: FakeWechat;
export let app: TestApp;
/** Knows no app at WeChat. */
export let bare: TestApp;
let admin: Administrator;
/** A new one for each test, so that its accounts can be counted. */
export let shop: TestApplication;

export function newShop(of = app): Promise<TestApplication> {
  return addApplication(of, { name: `org.example.wechat${nextNumber()}`, roles: { customer: ['shop.buy'] } });
}

export function send(code: unknown, change: Fields = {}): Promise<Answer> {
  return app.client.post(MOBILE, { code, app_id: shop.name, ...change });
}

/** Through the mobile app. */
export function enter(person: WechatPerson, { name } = shop, wechatApp = WECHAT_APP): Promise<Answer> {
  return send(wechat.code(person, wechatApp), { app_id: name });
}

/** Through the website, as far as a program sees it. */
export async function enterOnWeb(person: WechatPerson): Promise<Answer> {
  const started = await app.client.get(`${WEB}?app_id=${shop.name}`);
  const code = wechat.code(person, WECHAT_WEB_APP);
  return app.client.get(`${WEB}?state=${started.body.state}&code=${code}`);
}

export function settle(change: Fields): Promise<Answer> {
  return admin.put('/v1/rbac/application/settings', { app_id: shop.id, ...change });
}

export function accountOf(answer: Answer): number {
  expectOk(answer);
  return decodeToken(answer.body.access_token as string).claims.sub;
}

export function countAccounts({ id } = shop): Promise<number> {
  return app.dataSource.manager.countBy(User, { applicationId: id });
}

/** Starts a server, and a WeChat that it asks. */
export function useWechat(): void {
  beforeAll(async () => {
    wechat = await FakeWechat.start();
    wechat.addApp(OWN_APP, OWN_SECRET);
    // The log and the check of tokens are those of the server that was started last.
    bare = await startTestApp({ env: { WECHAT_API_URL: wechat.url, WECHAT_OPEN_URL: wechat.url } });
    app = await startTestApp({ env: wechat.env });
    admin = await addAdministrator(app);
  });
  afterAll(async () => {
    await bare?.close();
    await app?.close();
    await wechat?.close();
  });
  beforeEach(async () => (shop = await newShop()));
  afterEach(() => {
    thawClock();
    wechat.recover();
    wechat.assertNothingUnexpected();
  });
}
