import { In } from 'typeorm';
import { Mail } from '../../src/mail/mail.entity.js';
import { Identity } from '../../src/users/identity.entity.js';
import { User } from '../../src/users/user.entity.js';
import { expectSearchIndexIsExact } from '../support/search-index.js';
import { login, registerVerified, registration, type TestAccount } from '../support/accounts.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { nextNumber } from '../support/client.js';
import { countByCode, expectFailure, expectOk, expectPage } from '../support/expectations.js';
import { linkIn } from '../support/mailbox.js';
import {
  app,
  countLinks,
  register,
  registerPending,
  shop,
  tryLogin,
  useRegistrations,
} from '../support/registrations.js';

useRegistrations();

const PARALLEL = 50;
const LONE_SURROGATE = 'lone \ud800 surrogate';

function mailOfLength(length: number): string {
  const labels = `${'d'.repeat(62)}.`.repeat(2);
  return `${'m'.repeat(64)}@${labels}`.padEnd(length - '.com'.length, 'e') + '.com';
}

describe('POST /v1/user/register', () => {
  it('answers with the mail as it was written and says that it is not verified', async () => {
    expectOk(await register(registration({ mail: 'Exact.Case@Example.com' })), {
      mail: 'Exact.Case@Example.com',
      verified: false,
    });
  });

  it('ignores unknown fields', async () => {
    const account = registration();
    expectOk(await register({ ...account, verified: true, is_verified: true, role: 'admin', id: 1 }), {
      mail: account.mail,
      verified: false,
    });
    expectFailure(await tryLogin(account), 403, 2003);
  });

  it("accepts the application's name in any case", async () => {
    expectOk(await register(registration({ app_id: 'PLUTO' })));
  });

  it('trims the name and keeps every language', async () => {
    const account = await registerVerified(app, { name: ' \u3000王小明 نور Ååé 👩‍👩‍👧  ' });
    const { access_token: token } = await login(app, account);
    const { body } = await app.client.get('/v1/user/info', { token });
    expect(body.name).toBe('王小明 نور Ååé 👩‍👩‍👧');
  });

  it.each([
    ['a name of 60 characters outside the basic plane', { name: '🙂'.repeat(60) }],
    ['a handle of 100 characters', { user_id: 'Az0_-'.repeat(20) }],
    ['a mail of 254 characters', { mail: mailOfLength(254) }],
  ])('takes %s', async (_, change) => {
    expectOk(await register(registration(change)));
  });

  it.each([
    ['spaces', '  a  b  c  '],
    ['8 characters of 4 bytes each', '🙂🙃😀😎🤖🎃🐙🦊'],
    ['1024 bytes', 'éàüö'.repeat(128)],
    ['control characters and NUL', 'before\0after\n\t'],
  ])('hashes a password of %s exactly as received', async (_, password) => {
    const account = await registerVerified(app, { password });
    await login(app, account);
    for (const other of [
      password.trim(),
      password.split('\0')[0]!,
      `${[...password].slice(0, -1).join('')}?`,
    ]) {
      if (other === password || other === '') continue;
      expectFailure(await tryLogin({ ...account, password: other }), 403, 3001);
    }
  });

  it('distinguishes composed and decomposed characters of a password', async () => {
    const account = await registerVerified(app, { password: 'caf\u00e9 au lait' });
    expectFailure(await tryLogin({ ...account, password: 'cafe\u0301 au lait' }), 403, 3001);
  });

  const wrongTypes = [undefined, null, 1, 0, true, false, [], ['a@example.com'], {}, { $gt: '' }, [[]], ''];
  const faults: Record<keyof TestAccount, unknown[]> = {
    mail: [
      'ann',
      'ann@',
      '@example.com',
      'ann@localhost',
      'a b@example.com',
      'ann@exam\nple.com',
      'ann\0@example.com',
      'ann@example.com, bob@example.com',
      'Ann <ann@example.com>',
      'ann\ud800@example.com',
      mailOfLength(255),
      `${'m'.repeat(10_000)}@example.com`,
    ],
    user_id: ['a b', 'a@b', 'a.b', 'é', 'ａｎｎ', 'an\nn', 'ann\0', 'a nn', 'a'.repeat(101), LONE_SURROGATE],
    name: [
      '   ',
      '\u3000',
      'n'.repeat(61),
      '🙂'.repeat(61),
      'two\nlines',
      'two\u2028lines',
      'nul\0',
      'c1\u0085',
      'delete\u007f',
      LONE_SURROGATE,
      '\ufdfa'.repeat(60),
    ],
    password: ['1234567', '🙂'.repeat(7), 'p'.repeat(1025), 'é'.repeat(513), LONE_SURROGATE],
    app_id: [' ', 'a'.repeat(101), 'pluto\0', 'plu\nto', LONE_SURROGATE],
  };

  it.each(Object.entries(faults))('refuses a wrong %s with 1001 and names it', async (field, values) => {
    const valid = registration();
    const answers = await Promise.all(
      [...wrongTypes, ...values].map(async (value) => {
        const { status, code, json } = await register({ ...valid, [field]: value });
        const message = String(json?.error?.message).replace(/^(Bad Request: \w+ must be ).*$/, '$1…');
        return { value, status, code, message };
      }),
    );
    expect(answers).toEqual(
      [...wrongTypes, ...values].map((value) => ({
        value,
        status: 400,
        code: 1001,
        message: `Bad Request: ${field} must be …`,
      })),
    );
  });

  it('names every invalid field in one message', async () => {
    const some = await register({ ...registration(), mail: 'no mail', password: 'short', name: 5 });
    expectFailure(some, 400, 1001);
    const named = [...(some.json.error.message as string).matchAll(/(\w+) must be/g)].map(([, name]) => name);
    expect(named.sort()).toEqual(['mail', 'name', 'password']);

    const all = await register({});
    expectFailure(all, 400, 1001);
    for (const field of Object.keys(faults)) expect(all.json.error.message).toContain(`${field} must be`);
  });

  it('refuses an unknown application with 4005', async () => {
    expectFailure(await register(registration({ app_id: 'org.example.unknown' })), 403, 4005);
  });

  it('refuses a mail that an account has confirmed with 2001, without regard to case', async () => {
    const { mail } = await registerVerified(app);
    expectFailure(await register(registration({ mail })), 403, 2001);
    expectFailure(await register(registration({ mail: mail.toUpperCase() })), 403, 2001);
    expectFailure(await register(registration({ mail: mail.replace('user', 'ｕｓｅｒ') })), 403, 2001);
  });

  it('refuses a handle that is taken with 2006, without regard to case, and confirmed or not', async () => {
    const confirmed = await registerVerified(app, { user_id: `Taken${nextNumber()}` });
    const pending = await registerPending();
    for (const { user_id } of [confirmed, pending]) {
      expectFailure(await register(registration({ user_id })), 403, 2006);
      expectFailure(await register(registration({ user_id: user_id.toUpperCase() })), 403, 2006);
      expectFailure(await register(registration({ user_id: user_id.toLowerCase() })), 403, 2006);
    }
  });

  it('leaves nothing behind when it refuses', async () => {
    const { user_id } = await registerPending();
    const refused = registration({ user_id });
    const before = await countLinks();
    expectFailure(await register(refused), 403, 2006);
    expect(await countLinks()).toBe(before);
    expect(await app.dataSource.manager.countBy(Identity, { pendingKey: refused.mail })).toBe(0);
    expectOk(await register({ ...refused, user_id: registration().user_id }));
  });

  it('keeps the accounts of applications apart: same mail, same handle, own password', async () => {
    const here = await registerVerified(app);
    const there = { ...here, password: 'the password over there', app_id: shop.name };
    expectOk(await register(there));
    await app.client.submit(await app.mailbox.linkTo(here.mail, 2));

    expectFailure(await register({ ...registration(), mail: there.mail, app_id: shop.name }), 403, 2001);
    await login(app, here);
    await login(app, there);
    expectFailure(await tryLogin({ ...here, app_id: shop.name }), 403, 3001);
    expectFailure(await tryLogin({ ...there, app_id: 'pluto' }), 403, 3001);
  });

  it('lets a pending registration be repeated unchanged', async () => {
    const account = await registerPending();
    const renamed = { ...account, name: 'Ann, with her second name' };
    expectOk(await register(renamed));
    await app.client.submit(await app.mailbox.linkTo(account.mail, 2));
    const { access_token: token } = await login(app, account);
    expect((await app.client.get('/v1/user/info', { token })).body.name).toBe(renamed.name);
  });

  describe('the body', () => {
    const send = (body: string, headers: Record<string, string> = {}) =>
      app.client.request('POST', '/v1/user/register', { body, headers });

    it.each([
      ['broken JSON', '{"mail":'],
      ['no JSON', 'mail=ann@example.com'],
      ['an empty body', ''],
      ['a prototype in disguise', '{"__proto__":{"mail":"ann@example.com"}}'],
      ['null', 'null'],
      ['a number', '1'],
      ['a text', '"mail"'],
      ['an empty array', '[]'],
      ['an array of nulls', '[null]'],
    ])('refuses %s with 1001', async (_, body) => {
      expectFailure(await send(body), 400, 1001, expect.stringMatching(/^Bad Request: /));
    });

    it('refuses an array of registrations with 1001 and registers none', async () => {
      const account = registration();
      expectFailure(await send(JSON.stringify([account])), 400, 1001);
      expect(await app.dataSource.manager.countBy(Identity, { pendingKey: account.mail })).toBe(0);
    });

    it('refuses a missing body with 1001', async () => {
      expectFailure(await app.client.post('/v1/user/register'), 400, 1001);
    });

    it('refuses more than 64 KiB with 1007, and accepts just below', async () => {
      const account = JSON.stringify(registration());
      const room = 64 * 1024 - account.length - '{"x":"",'.length + 1;
      const filled = (length: number) => `{"x":"${'x'.repeat(length)}",${account.slice(1)}`;
      expectFailure(await send(filled(room + 1)), 413, 1007);
      expectFailure(await send(filled(1024 * 1024)), 413, 1007);
      expectOk(await send(filled(room)));
    });

    it.each([
      ['application/x-www-form-urlencoded', 'mail=ann%40example.com'],
      ['multipart/form-data; boundary=x', '--x--'],
      ['text/plain', JSON.stringify(registration())],
      ['application/xml', '<mail/>'],
      ['nonsense', '{}'],
    ])('refuses the content type %s with 1008', async (type, body) => {
      expectFailure(await send(body, { 'content-type': type }), 415, 1008);
    });

    it('accepts JSON with a charset', async () => {
      expectOk(
        await send(JSON.stringify(registration()), { 'content-type': 'application/json; charset=utf-8' }),
      );
    });

    it('refuses another method with 1009 and names the right one', async () => {
      const answer = await app.client.get('/v1/user/register');
      expectFailure(answer, 405, 1009);
      expect(answer.headers.get('allow')).toBe('POST');
    });
  });

  it.each([
    ['zh-CN,zh;q=0.9', '请确认您在 pluto 的邮箱地址', 'zh'],
    ['ja', '【pluto】メールアドレスの確認', 'ja'],
    ['fr, ja;q=0.5', '【pluto】メールアドレスの確認', 'ja'],
    ['fr', 'Confirm your email address for pluto', 'en'],
    [';;;', 'Confirm your email address for pluto', 'en'],
  ])('writes the mail to a reader of %s', async (acceptLanguage, subject) => {
    const account = registration();
    expectOk(
      await app.client.post('/v1/user/register', account, {
        headers: { 'accept-language': acceptLanguage },
      }),
    );
    const mail = await app.mailbox.waitFor(account.mail);
    expect(mail.subject).toBe(subject);
    expect(mail.text).toContain('http://pluto.test/web/mail/verify/');
    expect(mail.html).toContain(linkIn(mail));
  });

  describe(`with ${PARALLEL} concurrent requests`, () => {
    const many = Array.from({ length: PARALLEL });

    it('gives a handle to exactly one mail', async () => {
      const { user_id } = registration();
      const accounts = many.map((_, index) =>
        registration({ user_id: index % 2 === 0 ? user_id : user_id.toUpperCase() }),
      );
      const before = await countLinks();
      const answers = await Promise.all(accounts.map((account) => register(account)));

      expect(countByCode(answers)).toEqual({ 0: 1, 2006: PARALLEL - 1 });
      expect(await countLinks()).toBe(before + 1);
      const { manager } = app.dataSource;
      expect(await manager.countBy(User, { handleKey: user_id })).toBe(1);
      expect(await manager.countBy(Identity, { pendingKey: In(accounts.map(({ mail }) => mail)) })).toBe(1);
      const winner = accounts[answers.findIndex(({ code }) => code === 0)]!;
      expectPage(await app.client.submit(await app.mailbox.linkTo(winner.mail)), 200, 'confirmed');
      await login(app, winner);
    });

    it('keeps all registrations of a mail pending, until one is confirmed', async () => {
      const { mail } = registration();
      const accounts = many.map(() => registration({ mail }));
      const before = { users: await app.dataSource.manager.count(User), links: await countLinks() };
      const answers = await Promise.all(accounts.map((account) => register(account)));

      expect(countByCode(answers)).toEqual({ 0: PARALLEL });
      const { manager } = app.dataSource;
      expect(await manager.countBy(Identity, { pendingKey: mail })).toBe(PARALLEL);
      expect(await countLinks()).toBe(before.links + PARALLEL);

      const { password } = accounts[7]!;
      const links = await allLinksTo(mail);
      const pages = await Promise.all(links.map((link) => app.client.submit(link, { password })));
      expect(pages.filter(({ text }) => text.includes('Email address confirmed'))).toHaveLength(1);
      expect(await manager.countBy(Identity, { pendingKey: mail })).toBe(0);
      expect(await manager.count(User)).toBe(before.users + 1);
      const logins = await Promise.all(accounts.map((account) => tryLogin(account)));
      expect(countByCode(logins)).toEqual({ 0: 1, 3001: PARALLEL - 1 });
      expect(logins[7]!.code).toBe(0);
    });

    it('treats the same form sent repeatedly as one registration', async () => {
      const account = registration();
      const before = await app.dataSource.manager.count(User);
      const answers = await Promise.all(many.map(() => register(account)));

      expect(countByCode(answers)).toEqual({ 0: PARALLEL });
      expect(await app.dataSource.manager.count(User)).toBe(before + 1);
      const pages = await Promise.all(
        (await allLinksTo(account.mail)).map((link) => app.client.submit(link)),
      );
      expect(pages.filter(({ text }) => text.includes('Email address confirmed'))).toHaveLength(1);
      await login(app, account);
    });

    async function allLinksTo(address: string): Promise<string[]> {
      const deadline = performance.now() + 5000;
      while ((await app.dataSource.manager.countBy(Mail, { recipient: address })) > 0) {
        if (performance.now() > deadline) throw new Error('mails are left in the outbox');
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      return (await app.mailbox.to(address)).map(linkIn);
    }
  });
});

describe('POST /v1/user/register with SKIP_REGISTER_VERIFY_MAIL=true', () => {
  let skipping: TestApp;
  beforeAll(async () => (skipping = await startTestApp({ env: { SKIP_REGISTER_VERIFY_MAIL: 'true' } })));
  afterAll(() => skipping.close());

  it('verifies immediately and sends no mail', async () => {
    const account = registration();
    expectOk(await register(account, skipping), { mail: account.mail, verified: true });
    expect(await countLinks(skipping)).toBe(0);
    expect(await skipping.dataSource.manager.count(Mail)).toBe(0);
    const { access_token: token } = await login(skipping, account);
    expect((await skipping.client.get('/v1/user/info', { token })).body).toMatchObject({ verified: true });
  });

  it('refuses the mail of an account from then on with 2001', async () => {
    const account = registration();
    expectOk(await register(account, skipping));
    expectFailure(await register(registration({ mail: account.mail }), skipping), 403, 2001);
  });

  it(`gives a mail to exactly one of ${PARALLEL} concurrent requests`, async () => {
    const { mail } = registration();
    const accounts = Array.from({ length: PARALLEL }, () => registration({ mail }));
    const before = await skipping.dataSource.manager.count(User);
    const answers = await Promise.all(accounts.map((account) => register(account, skipping)));

    expect(countByCode(answers)).toEqual({ 0: 1, 2001: PARALLEL - 1 });
    expect(await skipping.dataSource.manager.count(User)).toBe(before + 1);
    const winner = answers.findIndex(({ code }) => code === 0);
    const [won, lost] = await Promise.all([
      tryLogin(accounts[winner]!, skipping),
      tryLogin(accounts[(winner + 1) % PARALLEL]!, skipping),
    ]);
    expect([won.code, lost.code]).toEqual([0, 3001]);
  });
});

it('leaves the search index exact', () => expectSearchIndexIsExact(app));
