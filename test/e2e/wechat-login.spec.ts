import { Session } from '../../src/token/session.entity.js';
import { Identity } from '../../src/users/identity.entity.js';
import { ProviderSubject } from '../../src/users/provider-subject.entity.js';
import { User } from '../../src/users/user.entity.js';
import { addAdministrator, type Administrator } from '../support/administration.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { addApplication, type TestApplication } from '../support/applications.js';
import { nextNumber, type Answer } from '../support/client.js';
import { freezeClock, passSeconds, thawClock } from '../support/clock.js';
import { countByCode, expectFailure, expectOk } from '../support/expectations.js';
import type { Fields } from '../support/provider-server.js';
import { decodeToken } from '../support/tokens.js';
import {
  FakeWechat,
  WECHAT_APP,
  WECHAT_TOKEN,
  WECHAT_USERINFO,
  WECHAT_WEB_APP,
  type WechatPerson,
} from '../support/wechat.js';

const MOBILE = '/v1/user/login/wechat/mobile';
const WEB = '/v1/user/login/wechat/web';
const OWN_APP = 'wx1own1own1own1own';
const OWN_SECRET = 'own+secret&of=the%20shop';
const UNAVAILABLE = 'Service unavailable: WeChat cannot be asked at the moment';

let wechat: FakeWechat;
let app: TestApp;
/** Knows no app at WeChat. */
let bare: TestApp;
let admin: Administrator;
/** A new one for each test, so that its accounts can be counted. */
let shop: TestApplication;

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

function newShop(of = app): Promise<TestApplication> {
  return addApplication(of, { name: `org.example.wechat${nextNumber()}`, roles: { customer: ['shop.buy'] } });
}

function send(code: unknown, change: Fields = {}): Promise<Answer> {
  return app.client.post(MOBILE, { code, app_id: shop.name, ...change });
}

/** Through the mobile app. */
function enter(person: WechatPerson, { name } = shop, wechatApp = WECHAT_APP): Promise<Answer> {
  return send(wechat.code(person, wechatApp), { app_id: name });
}

/** Through the website, as far as a program sees it. */
async function enterOnWeb(person: WechatPerson): Promise<Answer> {
  const started = await app.client.get(`${WEB}?app_id=${shop.name}`);
  const code = wechat.code(person, WECHAT_WEB_APP);
  return app.client.get(`${WEB}?state=${started.body.state}&code=${code}`);
}

/** Through the mobile app, as somebody whom WeChat describes so. */
function enterAs(token: Fields, user: Fields = {}): Promise<Answer> {
  const { openid } = token;
  wechat.fail(WECHAT_TOKEN, { body: { access_token: 'a token', ...token } }, 1);
  wechat.fail(WECHAT_USERINFO, { body: { openid, nickname: 'Ann', headimgurl: '', ...user } }, 1);
  return send('any code');
}

function settle(change: Fields): Promise<Answer> {
  return admin.put('/v1/rbac/application/settings', { app_id: shop.id, ...change });
}

/** Values with what they look like, for the title of a test. */
function named(...values: unknown[]): [string, unknown][] {
  return values.map((value) => [JSON.stringify(value)?.slice(0, 48), value]);
}

function accountOf(answer: Answer): number {
  expectOk(answer);
  return decodeToken(answer.body.access_token as string).claims.sub;
}

async function infoOf(answer: Answer): Promise<Fields> {
  expectOk(answer);
  return (await app.client.get('/v1/user/info', { token: answer.body.access_token as string })).body;
}

function countAccounts({ id } = shop): Promise<number> {
  return app.dataSource.manager.countBy(User, { applicationId: id });
}

/** Refused, with nothing made of it. */
async function expectNobody(answer: Answer, status: number, code: number, message?: string): Promise<void> {
  expectFailure(answer, status, code, message);
  expect(await countAccounts()).toBe(0);
  expect(await app.dataSource.manager.countBy(Session, { applicationId: shop.id })).toBe(0);
}

describe('POST /v1/user/login/wechat/mobile', () => {
  it('makes an account at the first login and finds it at the next', async () => {
    freezeClock();
    const now = Math.floor(Date.now() / 1000);
    const person = wechat.person();
    const answer = await enter(person);
    expectOk(answer, {
      access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      access_token_expire_at: now + 3600,
      refresh_token: expect.stringMatching(/^[\w-]{43}$/),
      refresh_token_expire_at: now + 28 * 24 * 3600,
      type: 'Bearer',
    });
    expect(decodeToken(answer.body.access_token as string).claims).toMatchObject({
      iss: shop.name,
      scopes: ['shop.buy'],
    });
    const info = await infoOf(answer);
    expect(info).toMatchObject({
      user_id: expect.stringMatching(/^user-[a-z2-9]{12}$/),
      user_id_updated: false,
      name: person.nickname,
      avatar: person.headimgurl,
      mail: '',
      app_id: shop.name,
      verified: true,
      is_password_set: false,
      bindings: [{ login_type: 'wechat', mail: '' }],
    });
    Object.assign(person, { nickname: 'Somebody else', headimgurl: '' });
    expect(await infoOf(await enter(person))).toEqual(info);
    expect(await countAccounts()).toBe(1);
  });

  it('keeps the device, and the name that the person has chosen here', async () => {
    const person = wechat.person();
    const token = (await enter(person)).body.access_token as string;
    expectOk(await app.client.put('/v1/user/info', { name: 'Chosen here' }, { token }));
    const again = await send(wechat.code(person), { device_id: 'phone-1' });
    expect(await infoOf(again)).toMatchObject({ name: 'Chosen here' });
    const { sid } = decodeToken(again.body.access_token as string).claims;
    expect(await app.dataSource.manager.findOneBy(Session, { id: sid })).toMatchObject({
      deviceId: 'phone-1',
    });
  });

  it('takes answers that say that there is no error', async () => {
    for (const path of [WECHAT_TOKEN, WECHAT_USERINFO]) wechat.alterNext(path, { errcode: 0, errmsg: 'ok' });
    expectOk(await enter(wechat.person()));
  });

  it.each([
    ['a short one', 'A', 'A'],
    ['60 characters', 'ß'.repeat(60), 'ß'.repeat(60)],
    ['60 characters beyond the first plane', '🐼'.repeat(60), '🐼'.repeat(60)],
    ['markup', '<b>Ann</b>', '<b>Ann</b>'],
    ['blanks around it', ' \u3000小明 ', '小明'],
    ['nothing', '', null],
    ['blanks only', ' \u3000 ', null],
    ['61 characters', 'n'.repeat(61), null],
    ['a line break', 'Ann\nB', null],
    ['a zero character', 'Ann\0', null],
    ['half a character', 'Ann\ud83d', null],
    ['a number', 7, null],
    ['a list', ['Ann'], null],
    ['null', null, null],
    ['none', undefined, null],
  ])('takes a nickname that fits a name, else the handle: %s', async (_what, nickname, name) => {
    wechat.alterNext(WECHAT_USERINFO, { nickname });
    const info = await infoOf(await enter(wechat.person()));
    expect(info.name).toBe(name ?? info.user_id);
  });

  const longAddress = `https://thirdwx.qlogo.cn/${'a'.repeat(2023)}`;

  it.each(
    named('http://wx.qlogo.cn/mmopen/a/132', 'https://thirdwx.qlogo.cn/mmopen/a/0?x=1', longAddress, ''),
  )('takes a picture that has a web address: %s', async (_what, headimgurl) => {
    wechat.alterNext(WECHAT_USERINFO, { headimgurl });
    expect((await infoOf(await enter(wechat.person()))).avatar).toBe(headimgurl);
  });

  it.each([
    ...named(
      'javascript:alert(1)',
      'data:image/png;base64,aGVsbG8=',
      'aGVsbG8=',
      'ftp://qlogo.cn/a',
      '//qlogo.cn/a',
    ),
    ...named(
      'https://ann@qlogo.cn/a',
      'https://qlogo.cn/a b',
      'https://',
      7,
      ['https://qlogo.cn/a'],
      null,
      undefined,
    ),
    ['2049 characters', `${longAddress}a`],
  ])('takes no other picture: %s', async (_what, headimgurl) => {
    wechat.alterNext(WECHAT_USERINFO, { headimgurl });
    expect((await infoOf(await enter(wechat.person()))).avatar).toBe('');
  });

  it('makes an account for each application', async () => {
    const person = wechat.person();
    const other = await newShop();
    const [here, there] = [accountOf(await enter(person)), accountOf(await enter(person, other))];
    expect(here).not.toBe(there);
    expect([accountOf(await enter(person, other)), accountOf(await enter(person))]).toEqual([there, here]);
    expect([await countAccounts(), await countAccounts(other)]).toEqual([1, 1]);
  });

  describe('a code', () => {
    it.each([...named('no such code', 'a&b=c#d%2F+é'), ['2048 characters', 'c'.repeat(2048)]])(
      'that WeChat does not know is 3005: %s',
      async (_what, code) => {
        await expectNobody(await send(code), 403, 3005);
        expect(wechat.calls.at(-1)?.parameters.code).toBe(code);
      },
    );

    it('is good for once', async () => {
      const code = wechat.code(wechat.person());
      expectOk(await send(code));
      expectFailure(await send(code), 403, 3005);
      expect(await app.dataSource.manager.countBy(Session, { applicationId: shop.id })).toBe(1);
    });

    it('that has expired is 3005', async () => {
      freezeClock();
      const code = wechat.code(wechat.person());
      passSeconds(601);
      await expectNobody(await send(code), 403, 3005);
    });

    it('of another app at WeChat is 3005', async () => {
      for (const other of [WECHAT_WEB_APP, OWN_APP])
        await expectNobody(await enter(wechat.person(), shop, other), 403, 3005);
    });

    it.each([40029, 40163, 41008, 42003])('that WeChat refuses with errcode %i is 3005', async (errcode) => {
      wechat.failNext(WECHAT_TOKEN, errcode);
      await expectNobody(await enter(wechat.person()), 403, 3005);
    });

    it.each([
      ...named(undefined, null, '', 7, true, ['c'], {}, 'c\n', 'c\ud800'),
      ['2049 characters', 'c'.repeat(2049)],
    ])('is refused as %s with 1001', async (_what, code) => {
      await expectNobody(await send(code), 400, 1001, expect.stringContaining('code takes'));
    });

    it('is shown to WeChat for an application that exists only', async () => {
      const calls = wechat.calls.length;
      expectFailure(await send('a code', { app_id: undefined }), 400, 1001);
      expectFailure(await send('a code', { app_id: 'org.example.unknown' }), 403, 4005);
      expect(wechat.calls).toHaveLength(calls);
    });
  });

  describe('is 1010, with a line in the log, when WeChat', () => {
    let start: number;
    beforeEach(() => (start = app.log().length));
    const newLines = () => app.log().slice(start);

    it.each([
      ...[-1, 40013, 40125, 45011, 50001].map((errcode) => [WECHAT_TOKEN, errcode] as const),
      ...[-1, 40001, 40003, 42001, 45011, 48001].map((errcode) => [WECHAT_USERINFO, errcode] as const),
    ])('answers %s with errcode %i', async (path, errcode) => {
      wechat.failNext(path, errcode);
      const answer = await enter(wechat.person());
      await expectNobody(answer, 503, 1010, UNAVAILABLE);
      expect(answer.headers.get('retry-after')).toBe('5');
      expect(newLines()).toContain(`WeChat: ${path} was answered with errcode ${errcode}"`);
    });

    it.each([['129 characters', 'o'.repeat(129)], ...named('o o', 'ö', '', 7, ['o'], null, undefined)])(
      'tells an openid that is none: %s',
      async (_what, openid) => {
        for (const path of [WECHAT_TOKEN, WECHAT_USERINFO]) {
          wechat.alterNext(path, { openid });
          await expectNobody(await enter(wechat.person()), 503, 1010, UNAVAILABLE);
        }
        await expectNobody(await enterAs({ openid }), 503, 1010, UNAVAILABLE);
      },
    );

    it.each([['129 characters', 'u'.repeat(129)], ...named('u u', 'ü', 7, ['u'])])(
      'tells a union id that is none: %s',
      async (_what, unionid) => {
        wechat.alterNext(WECHAT_USERINFO, { unionid });
        await expectNobody(await enter(wechat.person()), 503, 1010, UNAVAILABLE);
      },
    );

    it.each(named('', null, undefined, 7))('tells an access token that is none: %s', async (_what, token) => {
      wechat.alterNext(WECHAT_TOKEN, { access_token: token });
      await expectNobody(await enter(wechat.person()), 503, 1010, UNAVAILABLE);
      expect(newLines()).toContain('WeChat: its answer has no access token"');
    });

    it('answers with somebody else', async () => {
      wechat.alterNext(WECHAT_USERINFO, { openid: wechat.openidOf(wechat.person()) });
      await expectNobody(await enter(wechat.person()), 503, 1010, UNAVAILABLE);
      expect(newLines()).toContain('WeChat: its answer has another openid"');
    });
  });

  describe('the app at WeChat', () => {
    it('is missing where none is configured', async () => {
      const calls = wechat.calls.length;
      const { name } = await newShop(bare);
      const answer = await bare.client.post(MOBILE, { code: 'a code', app_id: name });
      const message = `Operation Forbidden: sign-in with WeChat is not configured for ${name}`;
      expectFailure(answer, 403, 1002, message);
      expect(wechat.calls).toHaveLength(calls);
    });

    it('can be of the application itself, instead of that of the server', async () => {
      const person = wechat.person();
      expectOk(await settle({ wechat_app_id: OWN_APP, wechat_app_secret: OWN_SECRET }));
      expectFailure(await enter(person), 403, 3005);
      const own = accountOf(await enter(person, shop, OWN_APP));
      expectOk(await enter(person, await newShop()));
      expectOk(await settle({ wechat_app_id: '', wechat_app_secret: '' }));
      expectFailure(await enter(person, shop, OWN_APP), 403, 3005);
      expect(accountOf(await enter(person))).toBe(own);
    });

    it('with a wrong secret is 1010, not the fault of the code', async () => {
      wechat.allowInvalidClient();
      await settle({ wechat_app_id: OWN_APP, wechat_app_secret: 'a-secret-of-somebody-else' });
      const answer = await enter(wechat.person(), shop, OWN_APP);
      await expectNobody(answer, 503, 1010, UNAVAILABLE);
      expect(app.log()).toContain('errcode 40125');
    });
  });

  describe('a person is told apart', () => {
    it('by openids and union ids of up to 128 characters', async () => {
      const long = 'x'.repeat(127);
      const answers = [
        await enterAs({ openid: `${long}a` }, { unionid: `${long}a` }),
        await enterAs({ openid: `${long}b` }, { unionid: `${long}b` }),
        await enterAs({ openid: `${long}b` }, { unionid: `${long}a` }),
      ];
      const [a, b] = answers.map(accountOf);
      expect(answers.map(accountOf)).toEqual([a, b, b]);
      expect(a).not.toBe(b);
    });

    it('with regard to case', async () => {
      const answers = [
        await enterAs({ openid: 'oAbCd' }),
        await enterAs({ openid: 'oabcd' }),
        await enterAs({ openid: 'o1', unionid: 'uAbCd' }),
        await enterAs({ openid: 'o2', unionid: 'uabcd' }),
        await enterAs({ openid: 'o3', unionid: 'UABCD' }),
      ];
      expect(new Set(answers.map(accountOf)).size).toBe(answers.length);
      expect(accountOf(await enterAs({ openid: 'o4', unionid: 'uAbCd' }))).toBe(accountOf(answers[2]!));
    });

    it('not by an openid that is the union id of another', async () => {
      const ann = accountOf(await enterAs({ openid: 'o1', unionid: 'u1' }));
      expect(accountOf(await enterAs({ openid: 'u1' }))).not.toBe(ann);
      expect(accountOf(await enterAs({ openid: 'o2', unionid: 'o1' }))).not.toBe(ann);
    });

    it('by the app at WeChat where the openids are the same', async () => {
      const ann = accountOf(await enterAs({ openid: 'o1' }));
      await settle({ wechat_app_id: OWN_APP, wechat_app_secret: OWN_SECRET });
      const ben = accountOf(await enterAs({ openid: 'o1' }));
      expect(ben).not.toBe(ann);
      expect(accountOf(await enterAs({ openid: 'o1' }))).toBe(ben);
      await settle({ wechat_app_id: '', wechat_app_secret: '' });
      expect(accountOf(await enterAs({ openid: 'o1' }))).toBe(ann);
    });

    it('by a union id that is in either answer', async () => {
      const person = wechat.person();
      wechat.alterNext(WECHAT_TOKEN, { unionid: undefined });
      const ann = accountOf(await enter(person));
      wechat.alterNext(WECHAT_USERINFO, { unionid: '' });
      expect(accountOf(await enterOnWeb(person))).toBe(ann);
    });
  });

  it('logs no secret, code, access token, openid or union id', async () => {
    const person = wechat.person();
    const code = wechat.code(person);
    expectOk(await send(code));
    expectFailure(await send(code), 403, 3005);
    for (const path of [WECHAT_TOKEN, WECHAT_USERINFO])
      for (const fault of ['drop', 'redirect', 'not-json', { status: 500, body: 'secret' }] as const) {
        wechat.fail(path, fault, 1);
        expectFailure(await enter(person), 503, 1010);
      }
    await enterOnWeb({ ...person, unionid: undefined });
    await enterOnWeb(person);
    const sent = wechat.calls.flatMap(({ parameters: { appid: _, grant_type: __, ...rest } }) =>
      Object.values(rest),
    );
    const secrets = [...sent, ...sent.map(encodeURIComponent), person.unionid!].filter(
      ({ length }) => length > 12,
    );
    expect(secrets.length).toBeGreaterThan(10);
    expect(secrets.filter((text) => app.log().includes(text))).toEqual([]);
    expect(app.log()).not.toMatch(/[?&](code|secret|access_token|openid|state)=/);
  });
});

describe('the union id of WeChat', () => {
  const doors = { m: enter, w: enterOnWeb } as const;
  let start: number;
  beforeEach(() => (start = app.log().length));

  function warnings(): string[] {
    const lines = app.log().slice(start).split('\n');
    return lines.filter((line) => line.includes('"level":40') && line.includes('has two accounts'));
  }

  /** Where each step of a story led, a letter an account, in the order in which they were made. */
  async function tell(story: string, people: WechatPerson[]): Promise<string> {
    const accounts: number[] = [];
    for (const step of story.split(' ')) {
      const [, number = '', door, union] = /^(\d?)([mw])([-0+*])$/.exec(step)!;
      const person = people[Number(number || 1) - 1]!;
      const unionid = { '-': undefined, '0': '', '+': `union${person.number}`, '*': `later${person.number}` };
      person.unionid = unionid[union as keyof typeof unionid];
      accounts.push(accountOf(await doors[door as keyof typeof doors](person)));
    }
    const order = [...new Set(accounts)];
    expect(await countAccounts()).toBe(order.length);
    return accounts.map((id) => 'ABCDEFGH'[order.indexOf(id)]).join('');
  }

  // By the mobile app (m), by the website (w); told the union id (+), another one (*), an empty one (0), none (-).
  it.each([
    ['told from the start', 'm+ w+ m+ w+', 'AAAA', 0],
    ['told from the start, the website first', 'w+ m+ w+', 'AAA', 0],
    ['never told', 'm- w- m- w-', 'ABAB', 0],
    ['told later, before the other door', 'm- m+ w+ m+ w-', 'AAAAA', 0],
    ['told later, before the other door, the website first', 'w- w+ m+ w+ m-', 'AAAAA', 0],
    ['told later, after the other door', 'm- w- m+ w+ m+ w+ m- w-', 'ABABABAB', 2],
    ['told later, after the other door, which it reaches first', 'm- w- w+ m+ w+ m+', 'ABBABA', 2],
    ['told at the second door first', 'm- w+ m+ w+ m+', 'ABABA', 2],
    ['told at the second door first, the mobile app', 'w- m+ w+ m+ w+', 'ABABA', 2],
    ['told no more, after both doors', 'm+ w+ m- w- m+ w+', 'AAAAAA', 0],
    ['told no more, before the second door', 'm+ m- w- m- w+', 'AABAB', 1],
    ['told at times, before the second door', 'm+ m- w+ m-', 'AAAA', 0],
    ['empty', 'm0 w0 m0 w0', 'ABAB', 0],
    ['empty and absent by turns', 'm0 w- m- w0', 'ABAB', 0],
    ['empty, absent, then told', 'm0 m- m+ w+ m0', 'AAAAA', 0],
    ['empty later on', 'm+ w+ m0 w0', 'AAAA', 0],
    ['another later on', 'm+ m* w* w+ m+', 'AAAAA', 0],
    ['another at each door', 'm+ w* m* w+', 'ABAB', 2],
    ['empty for two people', 'm0 2m0 m0 2m0 w0 2w0', 'ABABCD', 0],
    ['empty and absent for two people by turns', 'm0 2m- m- 2m0 w- 2w0 w0 2w-', 'ABABCDCD', 0],
    ['told of two people', 'm+ 2m+ w+ 2w+', 'ABAB', 0],
    ['told of one of two people', 'm+ 2m- w+ 2w- m- 2m+', 'ABACAB', 0],
  ])('leads to the right account: %s (%s)', async (_what, story, accounts, warned) => {
    expect(await tell(story, [wechat.person(), wechat.person()])).toBe(accounts);
    expect(warnings()).toHaveLength(warned);
  });

  it('warns by the ids here of two accounts that are one person, and by nothing else of them', async () => {
    const person = wechat.person({ unionid: undefined });
    const [mobile, web] = [accountOf(await enter(person)), accountOf(await enterOnWeb(person))];
    person.unionid = 'union-of-one-person';
    await enter(person);
    const answer = await enterOnWeb(person);
    const requestId = answer.headers.get('x-request-id');
    const [row] = await app.dataSource.manager.findBy(Identity, { userId: mobile });
    expect(warnings().map((line) => JSON.parse(line) as Fields)).toEqual([
      expect.objectContaining({ requestId, loginType: 'wechat', userId: web, otherIdentityIds: [row!.id] }),
    ]);
    expect(warnings().join()).not.toMatch(/union-of-one|openid:/);
  });

  it('leads to the account by a third app at WeChat, whoever of the first two made it', async () => {
    const people = [wechat.person(), wechat.person()];
    expect(await tell('m+ w+ 2m- 2w+', people)).toBe('AABC');
    await settle({ wechat_app_id: OWN_APP, wechat_app_secret: OWN_SECRET });
    const [ann, ben] = people as [WechatPerson, WechatPerson];
    expect(accountOf(await enter(ann, shop, OWN_APP))).toBe(accountOf(await enterOnWeb(ann)));
    expect(accountOf(await enter(ben, shop, OWN_APP))).toBe(accountOf(await enterOnWeb(ben)));
    expect(await countAccounts()).toBe(3);
    expect(warnings()).toEqual([]);
  });
});

describe('logins of one person at once', () => {
  const repeat = (times: number, login: () => Promise<Answer>) => Array.from({ length: times }, login);

  function accountsOf(answers: Answer[]): Set<number> {
    expect(countByCode(answers)).toEqual({ 0: answers.length });
    return new Set(answers.map(accountOf));
  }

  /** Asserts that one identity has the openids of those apps, and one union id. */
  async function expectSubjects(person: WechatPerson, apps: string[]): Promise<void> {
    const rows = await app.dataSource.manager.findBy(ProviderSubject, { applicationId: shop.id });
    expect(rows.map(({ subject }) => subject).sort()).toEqual([
      ...apps.map((id) => `openid:${id}:${wechat.openidOf(person, id)}`).sort(),
      `unionid:${person.unionid}`,
    ]);
    expect(new Set(rows.map(({ identityId }) => identityId)).size).toBe(1);
  }

  it.each([
    ['the first ones by the mobile app', 15, 0, [WECHAT_APP]],
    ['the first ones by the website', 0, 15, [WECHAT_WEB_APP]],
    ['the first ones by both', 8, 8, [WECHAT_APP, WECHAT_WEB_APP]],
  ])('make one account: %s', async (_what, mobile, web, apps) => {
    const person = wechat.person();
    const answers = await Promise.all([
      ...repeat(mobile, () => enter(person)),
      ...repeat(web, () => enterOnWeb(person)),
    ]);
    expect(accountsOf(answers).size).toBe(1);
    expect(await countAccounts()).toBe(1);
    await expectSubjects(person, apps);
  });

  it('adopt a union id that is told for the first time once', async () => {
    const person = wechat.person({ unionid: undefined });
    const account = accountOf(await enter(person));
    person.unionid = 'told-late';
    expect(accountsOf(await Promise.all(repeat(10, () => enter(person))))).toEqual(new Set([account]));
    await expectSubjects(person, [WECHAT_APP]);
    expect(await countAccounts()).toBe(1);
  });

  it('by both doors, when a union id is told for the first time, stay with one account a door', async () => {
    const person = wechat.person({ unionid: undefined });
    const account = accountOf(await enter(person));
    person.unionid = 'told-late';
    const [mobile, web] = await Promise.all([
      Promise.all(repeat(6, () => enter(person))),
      Promise.all(repeat(6, () => enterOnWeb(person))),
    ]);
    expect(accountsOf(mobile)).toEqual(new Set([account]));
    expect(accountsOf(web).size).toBe(1);
    expect(accountOf(await enter(person))).toBe(account);
    expect(accountOf(await enterOnWeb(person))).toBe(accountOf(web[0]!));
    expect(await countAccounts()).toBe(new Set([account, accountOf(web[0]!)]).size);
  });

  it('of two people make two accounts', async () => {
    const people = [wechat.person(), wechat.person()];
    const answers = await Promise.all(people.map((person) => Promise.all(repeat(6, () => enter(person)))));
    const [ann, ben] = answers.map(accountsOf);
    expect([ann!.size, ben!.size, await countAccounts()]).toEqual([1, 1, 2]);
  });
});
