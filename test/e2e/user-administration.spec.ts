import { User } from '../../src/users/user.entity.js';
import { UserRole } from '../../src/rbac/user-role.entity.js';
import { login, registration, signedIn } from '../support/accounts.js';
import {
  firstAdministrator,
  strangers,
  strangersTokens,
  type Caller,
  type Stranger,
} from '../support/administration.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { addApplication, giveRole, type TestApplication } from '../support/applications.js';
import { expectFailure, expectOk } from '../support/expectations.js';
import { countQueries } from '../support/queries.js';
import { addUser } from '../support/users.js';

const DAY_SECONDS = 24 * 3600;

let app: TestApp;
let admin: Caller;
let tokens: Record<Stranger, string | undefined>;
let desk: TestApplication;

beforeAll(async () => {
  app = await startTestApp();
  admin = await firstAdministrator(app);
  tokens = await strangersTokens(app, admin);
  desk = await addApplication(app, {
    name: 'org.example.desk',
    roles: { guest: ['look'], agent: ['write'] },
  });
});
afterAll(() => app.close());

interface FoundUser {
  id: number;
  user_id: string;
  name: string;
}

function search(name: string, more: Record<string, string> = {}) {
  return admin.get(`/v1/user/search?${new URLSearchParams({ name, ...more }).toString()}`);
}

async function idsFound(name: string, more: Record<string, string> = {}): Promise<number[]> {
  const answer = await search(name, more);
  expectOk(answer);
  return (answer.body.users as FoundUser[]).map(({ id }) => id);
}

const mailIdentity = (mail: string) => ({ loginType: 'mail' as const, mail });

describe.each(['/v1/user/search?name=ann', '/v1/user/summary'])('GET %s', (path) => {
  it('answers an administrator', async () => {
    expectOk(await admin.get(path));
  });

  it.each(strangers)('refuses %s with %i and %i', async (who, status, code) => {
    const token = tokens[who];
    expectFailure(await app.client.get(path, token === undefined ? {} : { token }), status, code);
  });

  it('refuses an administrator who has lost the role with 4008', async () => {
    const { manager } = app.dataSource;
    const roles = await manager.find(UserRole);
    await manager.delete(UserRole, { applicationId: roles[0]!.applicationId });
    expectFailure(await admin.get(path), 403, 4008);
    await manager.insert(UserRole, roles);
    expectOk(await admin.get(path));
  });
});

describe('GET /v1/user/search', () => {
  it('returns the complete view of administrators', async () => {
    const id = await addUser(app, {
      applicationId: desk.id,
      name: 'Wilhelmine Shape',
      handle: 'Wilma_Shape',
      identities: [
        mailIdentity('Wilma.Shape@Example.com'),
        { loginType: 'google', mail: 'wilma@gmail.example' },
        { loginType: 'wechat', mail: '' },
      ],
    });
    const found = {
      id,
      user_id: 'Wilma_Shape',
      name: 'Wilhelmine Shape',
      avatar: '',
      applications: [
        { id: desk.id, name: 'org.example.desk', roles: [{ id: desk.roles.guest, name: 'guest' }] },
      ],
      bindings: [
        { login_type: 'mail', mail: 'Wilma.Shape@Example.com' },
        { login_type: 'google', mail: 'wilma@gmail.example' },
        { login_type: 'wechat', mail: '' },
      ],
    };
    expectOk(await search('wilhelmine shape'), { users: [found], total: 1 });
  });

  it('finds nobody with 200', async () => {
    expectOk(await search('nobody of that name'), { users: [], total: 0 });
  });

  it('names the assigned role, else the default role, else none', async () => {
    const roleless = await addApplication(app, { name: 'org.example.roleless' });
    const given = await addUser(app, { applicationId: desk.id, name: 'Holder Given' });
    await giveRole(app, given, desk, 'agent');
    await addUser(app, { applicationId: desk.id, name: 'Holder Default' });
    await addUser(app, { applicationId: roleless.id, name: 'Holder None' });
    const { body } = await search('holder');
    const rolesOf = (body.users as { name: string; applications: { name: string; roles: object[] }[] }[]).map(
      ({ name, applications }) => [name, applications.map((one) => [one.name, one.roles])],
    );
    expect(Object.fromEntries(rolesOf)).toEqual({
      'Holder Given': [['org.example.desk', [{ id: desk.roles.agent, name: 'agent' }]]],
      'Holder Default': [['org.example.desk', [{ id: desk.roles.guest, name: 'guest' }]]],
      'Holder None': [['org.example.roleless', []]],
    });
  });

  it('shows a picture as the account itself does', async () => {
    const id = await addUser(app, { name: 'Pictured One' });
    const avatarUrl = 'https://pictures.example/one.png';
    await app.dataSource.manager.update(User, { id }, { avatarUrl });
    expect((await search('pictured one')).body.users).toMatchObject([{ id, avatar: avatarUrl }]);
  });

  describe('by name, handle and mail', () => {
    let id: number;
    let sameElsewhere: number;
    beforeAll(async () => {
      const account = {
        name: 'Ottoline Quist',
        handle: 'Otto-Handle',
        identities: [mailIdentity('Mail.Of.Otto@Example.org')],
      };
      id = await addUser(app, account);
      sameElsewhere = await addUser(app, { ...account, applicationId: desk.id });
      await addUser(app, { name: 'Somebody Otilie', handle: 'my-handle' });
    });

    it.each([
      'Ottoline Quist',
      'ottoline quist',
      'OTTOLINE QUIST',
      '  Ottoline Quist  ',
      'Ottoline',
      'otTo',
      'Otto-Handle',
      'otto-handle',
      'OTTO-H',
      'Mail.Of.Otto@Example.org',
      'mail.of.otto@example.org',
      'MAIL.OF.OTTO@',
      'mail.o',
      'Quist',
      'ttoline',
      'LINE QU',
      'to-han',
      'of.otto',
      'otto@example.org',
    ])('finds the account in every application by %p, once', async (name) => {
      const answer = await search(name);
      expect(answer.body.total).toBe(2);
      expect((answer.body.users as FoundUser[]).map((user) => user.id)).toEqual([id, sameElsewhere]);
    });

    it.each(['Ottoline Quist Jr', 'Mr Ottoline', 'otto line', 'quistotto', 'mail.of.otto@example.org.uk'])(
      'does not find it by %p, which is no part of its fields',
      async (name) => {
        const found = await idsFound(name);
        expect(found).not.toContain(id);
        expect(found).not.toContain(sameElsewhere);
      },
    );

    it.each([
      ['ida@bücher.example', 'ida@xn--bcher-kva.example', 'IDA@XN--BCHER-KVA.exam', 'ida@bü'],
      ['ina@xn--bcher-kva.example', 'ina@bücher.example', 'ina@BU\u0308CHER.ex', 'ina@xn--bcher-kva.'],
      ['ira@mail.例え.jp', 'ira@mail.xn--r8jz45g.jp', 'ira@mail.例え。j', 'ira@mail.xn--r8jz45g'],
      ['iva@φως.example', 'iva@xn--3xahj.example', 'iva@φως.example'],
    ])('finds a mail in both spellings of its domain: %s', async (mail, ...texts) => {
      const found = await addUser(app, { identities: [mailIdentity(mail)] });
      for (const text of [mail, ...texts])
        expect([text, await idsFound(text), (await search(text)).body.total]).toEqual([text, [found], 1]);
    });

    it('distinguishes domains that are two', async () => {
      await addUser(app, { identities: [mailIdentity('isa@faß.example')] });
      expect(await idsFound('isa@fass.example')).toEqual([]);
      expect(await idsFound('isa@xn--fa-hia.example')).toHaveLength(1);
    });

    it.each([
      ['王小明', '小明', '王小', '小'],
      ['Ann-Christin de la Cruz', 'christin', 'la c', 'z'],
      ['🦊👩\u200d👩\u200d👧 Family', '👩\u200d👧', '🦊', '👧 fam'],
      ['100 % sure_thing', '% s', 'e_t', '00 %'],
    ])('finds the name %s by any part of it: %s', async (name, ...parts) => {
      const found = await addUser(app, { name });
      for (const part of parts)
        expect([part, await idsFound(part)]).toEqual([part, expect.arrayContaining([found])]);
    });

    it('finds all mails of a domain, or of a part of it', async () => {
      const house = ['one@search.example', 'two@mail.search.example'];
      const ids = [];
      for (const mail of house) ids.push(await addUser(app, { identities: [mailIdentity(mail)] }));
      await addUser(app, { identities: [mailIdentity('three@research.example')] });
      expect(await idsFound('@search.example')).toEqual(ids.slice(0, 1));
      expect((await idsFound('.search.ex')).sort()).toEqual(ids.slice(1));
      expect(await idsFound('search.example')).toHaveLength(3);
    });

    it('finds by the mail of a provider too', async () => {
      const bound = await addUser(app, {
        identities: [
          mailIdentity('plain@example.org'),
          { loginType: 'apple', mail: 'relay77@apple.example' },
        ],
      });
      expect(await idsFound('relay77')).toEqual([bound]);
    });

    it('shows an account once that matches by every field and by two mails', async () => {
      const every = await addUser(app, {
        name: 'allover',
        handle: 'allover',
        identities: [
          mailIdentity('allover@example.org'),
          { loginType: 'google', mail: 'allover@gmail.example' },
        ],
      });
      expect((await search('allover')).body).toMatchObject({ total: 1, users: [{ id: every }] });
    });

    it('shows exact matches before those that only begin so', async () => {
      const longer = await addUser(app, { name: 'Exactly Ann' });
      const exact = await addUser(app, { name: 'Exactly' });
      expect(await idsFound('exactly')).toEqual([exact, longer]);
    });

    it('finds an account by its new name, and no longer by the old one', async () => {
      const { account, token } = await signedIn(app, { name: 'Before Rename', app_id: 'org.example.desk' });
      const [id] = await idsFound('before rename');
      expect(await idsFound(account.mail)).toEqual([id]);
      expect(await idsFound(account.user_id)).toContain(id);
      const renamed = { name: 'After Rename', user_id: 'after-rename-handle' };
      expectOk(await app.client.put('/v1/user/info', renamed, { token }));
      expect(await idsFound('before rename')).toEqual([]);
      expect(await idsFound('AFTER RENAME')).toEqual([id]);
      expect(await idsFound('after-rename-h')).toEqual([id]);
      expectOk(await app.client.post('/v1/user/delete', undefined, { token }));
      expect(await idsFound('after rename')).toEqual([]);
    });
  });

  describe('takes every character literally', () => {
    const texts = [
      '%',
      '_',
      '\\',
      "'",
      '"',
      '*',
      '?',
      '[',
      '%%',
      '100%',
      'a_b',
      'a\\b',
      "o'neil",
      '--',
      ';',
      '<b>',
    ];
    let ids: Map<string, number>;
    beforeAll(async () => {
      ids = new Map();
      for (const text of texts)
        ids.set(
          text,
          await addUser(app, { name: `${text}literal`, handle: `l${ids.size}-${'x'.repeat(9)}` }),
        );
      await addUser(app, { name: 'axb literal', handle: 'axb' });
      await addUser(app, { name: '1000 literals', handle: 'x100' });
    });

    it.each(texts)('%s', async (text) => {
      const having = texts.filter((one) => one.includes(text)).map((one) => ids.get(one));
      const found = (await idsFound(text)).filter((id) => [...ids.values()].includes(id));
      expect(found.sort((one, other) => one - other)).toEqual(having);
    });

    it.each([
      ['Ünal Öztürk', 'ÜNAL ö'],
      ['Ünal Decomposed'.normalize('NFD'), 'ünal dec'],
      ['Ｆｕｌｌｗｉｄｔｈ', 'fullw'],
      ['Наталья', 'НАТАЛ'],
      ['Σίσυφος', 'ΣΊΣΥΦΟΣ'],
      ['Οδυσσέας', 'ΟΔΥΣ'],
      ['陳大文', '陳大'],
      ['김철수', '김'],
      ['さくら', 'さく'],
      ['مريم', 'مر'],
      ['🦊 Fox', '🦊'],
      ['👩‍👩‍👧 Family', '👩‍👩‍👧'],
      ['\u{10fffd} private', '\u{10fffd}'],
      ['İstanbul', 'İstan'],
      ['straße', 'STRA'],
    ])('the name %s, found by %s', async (name, text) => {
      const id = await addUser(app, { name });
      expect(await idsFound(text)).toContain(id);
      expect(await idsFound(name)).toContain(id);
    });

    it('and distinguishes characters that only some collations equate', async () => {
      const plain = await addUser(app, { name: 'Zoe Cafe' });
      const accented = await addUser(app, { name: 'Zoé Café' });
      expect(await idsFound('zoe c')).toEqual([plain]);
      expect(await idsFound('zoé c')).toEqual([accented]);
    });
  });

  describe('in pages', () => {
    const COUNT = 45;
    let all: number[];
    beforeAll(async () => {
      for (let number = 0; number < COUNT; number++) {
        // Found by name, by handle or by mail, some by more than one; names and mails repeat.
        const place = number % 3;
        await addUser(app, {
          applicationId: number % 2 ? desk.id : undefined,
          ...(place !== 1 && { name: 'Paged' }),
          ...(place !== 0 && { handle: `paged${number}` }),
          identities: [
            mailIdentity(place === 2 ? `paged${number % 7}.${number}@example.com` : `x${number}@example.com`),
          ],
        });
      }
      all = await idsFound('paged', { limit: '100' });
    });

    it('has 20 users and the total of all, by default', async () => {
      const { body } = await search('paged');
      expect(body.total).toBe(COUNT);
      expect((body.users as FoundUser[]).map(({ id }) => id)).toEqual(all.slice(0, 20));
    });

    it.each([1, 7, 20, 44, 45, 46, 100])(
      'of %i contain every user once, in the same order',
      async (limit) => {
        expect(new Set(all).size).toBe(COUNT);
        const pages = [];
        for (let offset = 0; offset <= COUNT; offset += limit) {
          const { body } = await search('paged', { limit: String(limit), offset: String(offset) });
          expect(body.total).toBe(COUNT);
          pages.push(...(body.users as FoundUser[]).map(({ id }) => id));
        }
        expect(pages).toEqual(all);
      },
    );

    it.each(['45', '46', '1000', '2147483647'])('is empty from the offset %s on', async (offset) => {
      expectOk(await search('paged', { offset }), { users: [], total: COUNT });
    });

    it('takes as many queries for 100 users as for 10', async () => {
      const queriesFor = (limit: string) => countQueries(app, () => search('paged', { limit }));
      expect(await queriesFor('100')).toBe(await queriesFor('40'));
      expect(await queriesFor('100')).toBeLessThanOrEqual(15);
    });
  });

  it('refuses a limit other than an integer from 1 to 100 with 1001', async () => {
    const wrong = [
      '0',
      '101',
      '-1',
      'abc',
      '',
      '1.5',
      '1e1',
      'NaN',
      ' 5',
      '0x10',
      '99999999999',
      '2147483648',
    ];
    for (const limit of wrong)
      expectFailure(await search('ann', { limit }), 400, 1001, expect.stringContaining('limit'));
    expectFailure(await admin.get('/v1/user/search?name=ann&limit=1&limit=2'), 400, 1001);
    for (const limit of ['1', '100', '007']) expectOk(await search('ann', { limit }));
  });

  it('refuses an offset other than a 32-bit integer with 1001', async () => {
    for (const offset of ['-1', 'abc', '', '1.5', '2147483648', '99999999999'])
      expectFailure(await search('ann', { offset }), 400, 1001, expect.stringContaining('offset'));
    expectOk(await search('ann', { offset: '0' }));
  });

  it('refuses a missing, blank, over-long or broken name with 1001', async () => {
    const wrong = ['', '?name=', '?name=%20%20', `?name=${'x'.repeat(255)}`, '?name=a%00b', '?name=a%0Ab'];
    for (const query of [...wrong, '?name=a&name=b', '?name[]=a', '?name[a]=b', '?mail=a'])
      expectFailure(await admin.get(`/v1/user/search${query}`), 400, 1001, expect.stringContaining('name'));
    expectOk(await search('x'.repeat(254)));
    expectOk(await search('🦊'.repeat(254)));
  });
});

// At the end, because Passport's strategy is global and belongs to the server started last.
describe('GET /v1/user/summary', () => {
  let house: TestApp;
  let keeper: Caller;
  let plutoId: number;
  beforeAll(async () => {
    house = await startTestApp();
    keeper = await firstAdministrator(house);
    const { body } = await keeper.get('/v1/user/summary');
    plutoId = body.applications[0].id as number;
  });
  afterAll(() => house.close());

  it('counts the first administrator on a new server', async () => {
    expectOk(await keeper.get('/v1/user/summary'), {
      total: 1,
      verified: 1,
      new_24h: 1,
      new_7d: 1,
      new_30d: 1,
      applications: [{ id: plutoId, name: 'pluto', total: 1 }],
    });
  });

  it('counts exactly: all, verified, new ones by age, and by application', async () => {
    const shop = await addApplication(house, { name: 'org.example.shop' });
    const empty = await addApplication(house, { name: 'org.example.empty' });
    const now = Math.floor(Date.now() / 1000);
    const margin = 60;
    const ages = [0, 1, 7, 30].flatMap((days) => [days * DAY_SECONDS - margin, days * DAY_SECONDS + margin]);
    for (const age of [...ages, 400 * DAY_SECONDS]) {
      await addUser(house, { createdAt: now - age });
      await addUser(house, {
        applicationId: shop.id,
        createdAt: now - age,
        identities: [{ loginType: 'mail', mail: `unverified${age}@example.com`, isVerified: false }],
      });
    }
    // Verified by one of its two bindings, and by both.
    const google = { loginType: 'google' as const, mail: 'g@example.com' };
    const mail = { loginType: 'mail' as const, mail: 'm@example.com' };
    await addUser(house, { applicationId: shop.id, identities: [{ ...mail, isVerified: false }, google] });
    await addUser(house, { identities: [mail, google] });

    expectOk(await keeper.get('/v1/user/summary'), {
      total: 1 + 18 + 2,
      verified: 1 + 9 + 2,
      new_24h: 1 + 6 + 2,
      new_7d: 1 + 10 + 2,
      new_30d: 1 + 14 + 2,
      applications: [
        { id: plutoId, name: 'pluto', total: 1 + 9 + 1 },
        { id: shop.id, name: 'org.example.shop', total: 9 + 1 },
        { id: empty.id, name: 'org.example.empty', total: 0 },
      ],
    });
  });

  it('follows registration, confirmation and deletion', async () => {
    const counts = async () => {
      const { total, verified, new_24h } = (await keeper.get('/v1/user/summary')).body as Record<
        string,
        number
      >;
      return [total, verified, new_24h].map(Number);
    };
    const before = await counts();
    const plus = (total: number, verified: number) =>
      before.map((count, place) => count + (place === 1 ? verified : total));
    const account = registration();
    expectOk(await house.client.post('/v1/user/register', account));
    expect(await counts()).toEqual(plus(1, 0));
    await house.client.submit(await house.mailbox.linkTo(account.mail));
    expect(await counts()).toEqual(plus(1, 1));
    const { access_token: token } = await login(house, account);
    expectOk(await house.client.post('/v1/user/delete', undefined, { token }));
    expect(await counts()).toEqual(before);
  });

  it('takes as many queries for many applications as for few', async () => {
    const queries = () => countQueries(house, () => keeper.get('/v1/user/summary'));
    const few = await queries();
    for (let number = 0; number < 10; number++)
      await addApplication(house, { name: `org.example.more${number}` });
    expect(await queries()).toBe(few);
  });

  it('ignores the query', async () => {
    expectOk(await keeper.get('/v1/user/summary?limit=abc&name='));
  });
});
