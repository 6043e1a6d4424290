import { Session } from '../../src/token/session.entity.js';
import { type Answer } from '../support/client.js';
import { freezeClock, passSeconds } from '../support/clock.js';
import { expectFailure, expectOk } from '../support/expectations.js';
import type { Fields } from '../support/provider-server.js';
import { decodeToken } from '../support/tokens.js';
import { WECHAT_TOKEN, WECHAT_USERINFO, WECHAT_WEB_APP } from '../support/wechat.js';
import {
  accountOf,
  app,
  bare,
  countAccounts,
  enter,
  enterOnWeb,
  MOBILE,
  newShop,
  OWN_APP,
  OWN_SECRET,
  send,
  settle,
  shop,
  wechat,
  useWechat,
} from '../support/wechat-logins.js';

useWechat();

const UNAVAILABLE = 'Service unavailable: WeChat is currently unreachable';

/** Signs in through the mobile app, as a person with that profile at WeChat. */
function enterAs(token: Fields, user: Fields = {}): Promise<Answer> {
  const { openid } = token;
  wechat.fail(WECHAT_TOKEN, { body: { access_token: 'a token', ...token } }, 1);
  wechat.fail(WECHAT_USERINFO, { body: { openid, nickname: 'Ann', headimgurl: '', ...user } }, 1);
  return send('any code');
}

/** Values with their representation for the title of a test. */
function named(...values: unknown[]): [string, unknown][] {
  return values.map((value) => [JSON.stringify(value)?.slice(0, 48), value]);
}

async function infoOf(answer: Answer): Promise<Fields> {
  expectOk(answer);
  return (await app.client.get('/v1/user/info', { token: answer.body.access_token as string })).body;
}

/** Asserts a refusal that creates nothing. */
async function expectNobody(answer: Answer, status: number, code: number, message?: string): Promise<void> {
  expectFailure(answer, status, code, message);
  expect(await countAccounts()).toBe(0);
  expect(await app.dataSource.manager.countBy(Session, { applicationId: shop.id })).toBe(0);
}

describe('POST /v1/user/login/wechat/mobile', () => {
  it('creates an account at the first login and finds it at the next', async () => {
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

  it('stores the device, and keeps the name chosen by the user', async () => {
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

  it('accepts responses with errcode 0', async () => {
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
    ['61 characters', 'n'.repeat(61), 'n'.repeat(60)],
    ['a letter of several characters at the end', `${'n'.repeat(58)}👩‍👩‍👧`, 'n'.repeat(58)],
    ['a line break', 'Ann\nB', 'Ann B'],
    ['a zero character', 'Ann\0', 'Ann'],
    ['control characters only', '\u0001\u0002', null],
    ['half a character', 'Ann\ud83d', 'Ann'],
    ['a number', 7, null],
    ['a list', ['Ann'], null],
    ['null', null, null],
    ['none', undefined, null],
  ])('uses what fits of the nickname, else the handle: %s', async (_what, nickname, name) => {
    wechat.alterNext(WECHAT_USERINFO, { nickname });
    const info = await infoOf(await enter(wechat.person()));
    expect(info.name).toBe(name ?? info.user_id);
  });

  it.each([
    ['a raw control character', (text: string) => text.replace('Ann', 'A\u0001n')],
    ['a raw line feed', (text: string) => text.replace('Ann', 'A\nn')],
    ['a byte order mark', (text: string) => `\uFEFF${text.replace('Ann', 'A n')}`],
  ])('reads a profile with %s', async (_what, damage) => {
    const person = wechat.person();
    const openid = wechat.openidOf(person);
    const profile = JSON.stringify({ openid, nickname: 'Ann', headimgurl: '' });
    wechat.fail(WECHAT_USERINFO, { body: damage(profile) }, 1);
    expect((await infoOf(await enter(person))).name).toBe('A n');
  });

  it.each([
    ['"40029"', 403, 3005],
    ['"40001"', 503, 1010],
    ['"strange"', 503, 1010],
    ['{}', 503, 1010],
    ['true', 503, 1010],
  ])('takes an errcode of any type for an error: %s', async (errcode, status, code) => {
    wechat.fail(WECHAT_TOKEN, { body: `{"errcode":${errcode},"errmsg":"x"}` }, 1);
    expectFailure(await enter(wechat.person()), status, code);
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
  ])('ignores any other picture: %s', async (_what, headimgurl) => {
    wechat.alterNext(WECHAT_USERINFO, { headimgurl });
    expect((await infoOf(await enter(wechat.person()))).avatar).toBe('');
  });

  it('creates an account for each application', async () => {
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

    it('is accepted once', async () => {
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
      await expectNobody(await send(code), 400, 1001, expect.stringContaining('code must be'));
    });

    it('is sent to WeChat only for an existing application', async () => {
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
      expect(newLines()).toContain(`WeChat: ${path} returned errcode ${errcode}"`);
    });

    it.each([['129 characters', 'o'.repeat(129)], ...named('o o', 'ö', '', 7, ['o'], null, undefined)])(
      'returns an invalid openid: %s',
      async (_what, openid) => {
        for (const path of [WECHAT_TOKEN, WECHAT_USERINFO]) {
          wechat.alterNext(path, { openid });
          await expectNobody(await enter(wechat.person()), 503, 1010, UNAVAILABLE);
        }
        await expectNobody(await enterAs({ openid }), 503, 1010, UNAVAILABLE);
      },
    );

    it.each([['129 characters', 'u'.repeat(129)], ...named('u u', 'ü', 7, ['u'])])(
      'returns an invalid union id: %s',
      async (_what, unionid) => {
        wechat.alterNext(WECHAT_USERINFO, { unionid });
        await expectNobody(await enter(wechat.person()), 503, 1010, UNAVAILABLE);
      },
    );

    it.each(named('', null, undefined, 7))('returns an invalid access token: %s', async (_what, token) => {
      wechat.alterNext(WECHAT_TOKEN, { access_token: token });
      await expectNobody(await enter(wechat.person()), 503, 1010, UNAVAILABLE);
      expect(newLines()).toContain('WeChat: response with no access token"');
    });

    it('answers with somebody else', async () => {
      wechat.alterNext(WECHAT_USERINFO, { openid: wechat.openidOf(wechat.person()) });
      await expectNobody(await enter(wechat.person()), 503, 1010, UNAVAILABLE);
      expect(newLines()).toContain('WeChat: response with another openid"');
    });
  });

  describe('the app at WeChat', () => {
    it('is missing if none is configured', async () => {
      const calls = wechat.calls.length;
      const { name } = await newShop(bare);
      const answer = await bare.client.post(MOBILE, { code: 'a code', app_id: name });
      const message = `Operation Forbidden: sign-in with WeChat is not configured for ${name}`;
      expectFailure(answer, 403, 1002, message);
      expect(wechat.calls).toHaveLength(calls);
    });

    it("can be the application's own instead of the server's", async () => {
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

  describe('a person is identified', () => {
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

    it('case-sensitively', async () => {
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

    it('by the app at WeChat if the openids are equal', async () => {
      const ann = accountOf(await enterAs({ openid: 'o1' }));
      await settle({ wechat_app_id: OWN_APP, wechat_app_secret: OWN_SECRET });
      const ben = accountOf(await enterAs({ openid: 'o1' }));
      expect(ben).not.toBe(ann);
      expect(accountOf(await enterAs({ openid: 'o1' }))).toBe(ben);
      await settle({ wechat_app_id: '', wechat_app_secret: '' });
      expect(accountOf(await enterAs({ openid: 'o1' }))).toBe(ann);
    });

    it('by a union id in either response', async () => {
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
