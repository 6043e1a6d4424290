import { Identity } from '../../src/users/identity.entity.js';
import { ProviderSubject } from '../../src/users/provider-subject.entity.js';
import { expectSearchIndexIsExact } from '../support/search-index.js';
import { type Answer } from '../support/client.js';
import { countByCode } from '../support/expectations.js';
import type { Fields } from '../support/provider-server.js';
import { WECHAT_APP, WECHAT_WEB_APP, type WechatPerson } from '../support/wechat.js';
import {
  accountOf,
  app,
  countAccounts,
  enter,
  enterOnWeb,
  OWN_APP,
  OWN_SECRET,
  settle,
  shop,
  wechat,
  useWechat,
} from '../support/wechat-logins.js';

useWechat();

describe('the union id of WeChat', () => {
  const doors = { m: enter, w: enterOnWeb } as const;
  let start: number;
  beforeEach(() => (start = app.log().length));

  function warnings(): string[] {
    const lines = app.log().slice(start).split('\n');
    return lines.filter((line) => line.includes('"level":"warn"') && line.includes('has two accounts'));
  }

  /** The account that each step led to: one letter for each account, in order of creation. */
  async function play(story: string, people: WechatPerson[]): Promise<string> {
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

  // Mobile app (m) or website (w); with the union id (+), another one (*), an empty one (0), none (-).
  it.each([
    ['sent from the start', 'm+ w+ m+ w+', 'AAAA', 0],
    ['sent from the start, the website first', 'w+ m+ w+', 'AAA', 0],
    ['never sent', 'm- w- m- w-', 'ABAB', 0],
    ['sent later, before the other app', 'm- m+ w+ m+ w-', 'AAAAA', 0],
    ['sent later, before the other app, the website first', 'w- w+ m+ w+ m-', 'AAAAA', 0],
    ['sent later, after the other app', 'm- w- m+ w+ m+ w+ m- w-', 'ABABABAB', 2],
    ['sent later, after the other app, which it reaches first', 'm- w- w+ m+ w+ m+', 'ABBABA', 2],
    ['sent by the second app first', 'm- w+ m+ w+ m+', 'ABABA', 2],
    ['sent by the second app first, the mobile app', 'w- m+ w+ m+ w+', 'ABABA', 2],
    ['no longer sent, after both apps', 'm+ w+ m- w- m+ w+', 'AAAAAA', 0],
    ['no longer sent, before the second app', 'm+ m- w- m- w+', 'AABAB', 1],
    ['sent at times, before the second app', 'm+ m- w+ m-', 'AAAA', 0],
    ['empty', 'm0 w0 m0 w0', 'ABAB', 0],
    ['empty and absent by turns', 'm0 w- m- w0', 'ABAB', 0],
    ['empty, absent, then sent', 'm0 m- m+ w+ m0', 'AAAAA', 0],
    ['empty later on', 'm+ w+ m0 w0', 'AAAA', 0],
    ['another later on', 'm+ m* w* w+ m+', 'AAAAA', 0],
    ['another at each door', 'm+ w* m* w+', 'ABAB', 2],
    ['empty for two people', 'm0 2m0 m0 2m0 w0 2w0', 'ABABCD', 0],
    ['empty and absent for two people by turns', 'm0 2m- m- 2m0 w- 2w0 w0 2w-', 'ABABCDCD', 0],
    ['sent for two people', 'm+ 2m+ w+ 2w+', 'ABAB', 0],
    ['sent for one of two people', 'm+ 2m- w+ 2w- m- 2m+', 'ABACAB', 0],
  ])('leads to the right account: %s (%s)', async (_what, story, accounts, warned) => {
    expect(await play(story, [wechat.person(), wechat.person()])).toBe(accounts);
    expect(warnings()).toHaveLength(warned);
  });

  it('logs a warning with the ids of two accounts of one person, and nothing else about them', async () => {
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

  it('finds the account by a third app at WeChat, whichever of the first two created it', async () => {
    const people = [wechat.person(), wechat.person()];
    expect(await play('m+ w+ 2m- 2w+', people)).toBe('AABC');
    await settle({ wechat_app_id: OWN_APP, wechat_app_secret: OWN_SECRET });
    const [ann, ben] = people as [WechatPerson, WechatPerson];
    expect(accountOf(await enter(ann, shop, OWN_APP))).toBe(accountOf(await enterOnWeb(ann)));
    expect(accountOf(await enter(ben, shop, OWN_APP))).toBe(accountOf(await enterOnWeb(ben)));
    expect(await countAccounts()).toBe(3);
    expect(warnings()).toEqual([]);
  });
});

describe('concurrent logins of one person', () => {
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

  it('store a new union id once', async () => {
    const person = wechat.person({ unionid: undefined });
    const account = accountOf(await enter(person));
    person.unionid = 'told-late';
    expect(accountsOf(await Promise.all(repeat(10, () => enter(person))))).toEqual(new Set([account]));
    await expectSubjects(person, [WECHAT_APP]);
    expect(await countAccounts()).toBe(1);
  });

  it('by app and website, with a new union id, keep one account each', async () => {
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

  it('of two people create two accounts', async () => {
    const people = [wechat.person(), wechat.person()];
    const answers = await Promise.all(people.map((person) => Promise.all(repeat(6, () => enter(person)))));
    const [ann, ben] = answers.map(accountsOf);
    expect([ann!.size, ben!.size, await countAccounts()]).toEqual([1, 1, 2]);
  });
});

it('leaves the search index exact', () => expectSearchIndexIsExact(app));
