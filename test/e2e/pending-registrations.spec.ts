import { In } from 'typeorm';
import { Housekeeping } from '../../src/housekeeping/housekeeping.service.js';
import { Identity } from '../../src/users/identity.entity.js';
import { User } from '../../src/users/user.entity.js';
import { expectSearchIndexIsExact } from '../support/search-index.js';
import { login, registration, signedIn, type TestAccount } from '../support/accounts.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { freezeClock, passSeconds, thawClock } from '../support/clock.js';
import { countByCode, expectFailure, expectOk, expectPage } from '../support/expectations.js';
import { openForm, sendForm } from '../support/forms.js';
import { linkIn } from '../support/mailbox.js';
import {
  app,
  countLinks,
  register,
  registerPending,
  tryLogin,
  useRegistrations,
} from '../support/registrations.js';

useRegistrations();
afterEach(thawClock);

const DAY_SECONDS = 86_400;
const ROUNDS = 10;
const [CONFIRMED, DEAD] = ['Email address confirmed', 'This link does not work'];
const ASKED = 'enter the password that you chose when you signed up';
const WRONG = 'This is not the password of this account';

/** The owner of a mailbox and a stranger, who knows the address, have registered it, in this order. */
async function rivals(order: 'owner first' | 'stranger first' = 'owner first') {
  const { mail } = registration();
  const [owner, stranger] = [registration({ mail }), registration({ mail })];
  const [first, second] = order === 'owner first' ? [owner, stranger] : [stranger, owner];
  expectOk(await register(first), { mail, verified: false });
  const firstLink = await app.mailbox.linkTo(mail);
  expectOk(await register(second), { mail, verified: false });
  const secondLink = await app.mailbox.linkTo(mail, 2);
  const isFirst = order === 'owner first';
  return {
    owner: { ...owner, link: isFirst ? firstLink : secondLink },
    stranger: { ...stranger, link: isFirst ? secondLink : firstLink },
  };
}

function sendAgain(by: { mail: string } | { user_id: string }) {
  return app.client.post('/v1/user/register/verify/mail', { ...by, app_id: 'pluto' });
}

function confirm({ link, password }: { link: string; password: string }) {
  return app.client.submit(link, { password });
}

describe('a mail that somebody else registers, too', () => {
  it.each(['owner first', 'stranger first'] as const)(
    'is confirmed by its owner with both links, if the password is known: %s',
    async (order) => {
      const { owner, stranger } = await rivals(order);
      for (const { link, user_id } of [owner, stranger]) {
        const page = await app.client.page(link);
        expectPage(page, 200, ASKED);
        expect(page.text).toContain(`@${user_id}`);
      }
      expectPage(await confirm(owner), 200, CONFIRMED);
      await login(app, owner);
      expectFailure(await tryLogin(stranger), 403, 3001);
      expectPage(await app.client.page(stranger.link), 404, DEAD);
      expectOk(await register(registration({ user_id: stranger.user_id })));
    },
  );

  it("does not become the stranger's by a press on the stranger's link", async () => {
    const { owner, stranger } = await rivals('stranger first');
    for (const password of [undefined, '', owner.password, 'another password'])
      expectPage(
        await app.client.submit(stranger.link, password === undefined ? {} : { password }),
        403,
        password ? WRONG : ASKED,
      );
    expectFailure(await tryLogin(stranger), 403, 2003);
    expectPage(await confirm(owner), 200, CONFIRMED);
  });

  it('is contested even if the form was opened before', async () => {
    const account = await registerPending();
    const form = await openForm(app.client, await app.mailbox.linkTo(account.mail));
    await registerPending({ mail: account.mail });
    expectPage(await sendForm(app.client, form), 403, ASKED);
    expectPage(await sendForm(app.client, form, { password: account.password }), 200, CONFIRMED);
  });

  it('stays contested after the registration of its owner has expired, until the other expires', async () => {
    freezeClock();
    const owner = await registerPending();
    passSeconds(DAY_SECONDS - 1);
    const stranger = await registerPending({ mail: owner.mail });
    const link = await app.mailbox.linkTo(owner.mail, 2);
    passSeconds(1);
    expectPage(await app.client.submit(link), 403, ASKED);
    await app.app.get(Housekeeping).run();
    expect(await app.dataSource.manager.existsBy(User, { handle: owner.user_id })).toBe(false);
    expectPage(await app.client.submit(link), 403, ASKED);
    expectOk(await sendAgain({ mail: owner.mail }), {});
    expectPage(await app.client.submit(await app.mailbox.linkTo(owner.mail, 3)), 403, ASKED);
    expectFailure(await tryLogin(stranger), 403, 2003);
  });

  it('is not contested by a registration that has expired before', async () => {
    freezeClock();
    const stranger = await registerPending();
    await app.mailbox.waitFor(stranger.mail);
    passSeconds(DAY_SECONDS);
    const owner = await registerPending({ mail: stranger.mail });
    expectPage(await app.client.submit(await app.mailbox.linkTo(owner.mail, 2)), 200, CONFIRMED);
    await login(app, owner);
  });

  it('tells each of them that the right password is right, and nobody else', async () => {
    const { owner, stranger } = await rivals();
    for (const account of [owner, stranger]) {
      expectFailure(await tryLogin(account), 403, 2003);
      expectFailure(await tryLogin({ ...account, mail: account.user_id }), 403, 2003);
    }
    expectFailure(await tryLogin({ ...owner, password: 'another password' }), 403, 3001);
    expectFailure(await tryLogin({ ...owner, mail: stranger.user_id }), 403, 3001);
  });
});

describe('a pending registration', () => {
  it('is neither ended nor replaced by a stranger who gives its mail and handle', async () => {
    const owner = await registerPending();
    const link = await app.mailbox.linkTo(owner.mail);
    const before = await countLinks();
    expectFailure(await register({ ...owner, password: "a stranger's password" }), 403, 2006);
    expectFailure(await register(registration({ user_id: owner.user_id })), 403, 2006);
    expect(await countLinks()).toBe(before);
    expectPage(await app.client.submit(link), 200, CONFIRMED);
    await login(app, owner);
  });

  it('holds its handle against accounts that change theirs, until it expires', async () => {
    freezeClock();
    const pending = await registerPending();
    const { token } = await signedIn(app);
    const rename = () => app.client.put('/v1/user/info', { user_id: pending.user_id }, { token });
    passSeconds(60);
    expectFailure(await rename(), 403, 2006);
    await app.dataSource.manager.update(Identity, { pendingKey: pending.mail }, { pendingUntil: 0 });
    expectOk(await rename(), {});
    expectFailure(await register(registration({ user_id: pending.user_id })), 403, 2006);
  });

  it('is not made to last longer by sending its link again', async () => {
    freezeClock();
    const pending = await registerPending();
    passSeconds(DAY_SECONDS - 1);
    expectOk(await sendAgain({ user_id: pending.user_id }), {});
    await app.mailbox.waitFor(pending.mail, 2);
    passSeconds(1);
    expectOk(await register(registration({ user_id: pending.user_id })));
  });

  it('gets its own link by its handle, and all of a mail get theirs by the mail', async () => {
    const { owner, stranger } = await rivals();
    expectOk(await sendAgain({ user_id: owner.user_id }), {});
    const own = await app.mailbox.linkTo(owner.mail, 3);
    expect((await app.client.page(own)).text).toContain(`@${owner.user_id}`);
    expectOk(await sendAgain({ mail: owner.mail }), {});
    await app.mailbox.waitFor(owner.mail, 5);
    const links = (await app.mailbox.to(owner.mail)).slice(3).map(linkIn);
    const pages = await Promise.all(links.map((link) => app.client.page(link)));
    for (const { user_id } of [owner, stranger])
      expect(pages.filter(({ text }) => text.includes(`@${user_id}<`))).toHaveLength(1);
  });
});

describe(`concurrently, ${ROUNDS} times`, () => {
  it.each(['two registrations of one mail are confirmed', 'one is confirmed with two links'])(
    '%s: once',
    async (what) => {
      const rounds = await Promise.all(Array.from({ length: ROUNDS }, () => rivals()));
      for (const { owner, stranger } of rounds) {
        let other: { link: string } & TestAccount = stranger;
        if (what.includes('two links')) {
          expectOk(await sendAgain({ user_id: owner.user_id }), {});
          other = { ...owner, link: await app.mailbox.linkTo(owner.mail, 3) };
        }
        const pages = await Promise.all([confirm(owner), confirm(other)]);
        expect(pages.filter(({ text }) => text.includes(CONFIRMED))).toHaveLength(1);
        const key = owner.mail;
        const rows = await app.dataSource.manager.findBy(Identity, { mail: key });
        expect(rows).toMatchObject([{ isVerified: true, subjectKey: key, pendingKey: null }]);
        const logins = await Promise.all([owner, stranger].map((account) => tryLogin(account)));
        expect(countByCode(logins)).toEqual({ 0: 1, 3001: 1 });
      }
    },
  );

  it('a mail is registered by somebody else and confirmed: its owner has it', async () => {
    const owners = await Promise.all(Array.from({ length: ROUNDS }, () => registerPending()));
    for (const owner of owners) {
      const link = await app.mailbox.linkTo(owner.mail);
      const stranger = registration({ mail: owner.mail });
      const [page, answer] = await Promise.all([confirm({ ...owner, link }), register(stranger)]);
      expectPage(page, 200, CONFIRMED);
      expect([0, 2001]).toContain(answer.code);
      await login(app, owner);
      expectFailure(await tryLogin(stranger), 403, 3001);
    }
  });

  it('a handle is wanted by registrations and by an account: one gets it', async () => {
    const { token } = await signedIn(app);
    for (let round = 0; round < ROUNDS; round++) {
      const { user_id } = registration();
      const [renamed, ...registered] = await Promise.all([
        app.client.put('/v1/user/info', { user_id }, { token }),
        register(registration({ user_id })),
        register(registration({ user_id: user_id.toUpperCase() })),
      ]);
      expect(countByCode([renamed, ...registered])).toEqual({ 0: 1, 2006: 2 });
      expect(await app.dataSource.manager.countBy(User, { handleKey: user_id })).toBe(1);
    }
  });

  it('the handle of an expired registration is wanted: one gets it', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const { mail, user_id } = await registerPending();
      await app.dataSource.manager.update(Identity, { pendingKey: mail }, { pendingUntil: 0 });
      const answers = await Promise.all([0, 1, 2].map(() => register(registration({ user_id }))));
      expect(countByCode(answers)).toEqual({ 0: 1, 2006: 2 });
    }
  });
});

describe('the limits on mails to a mailbox', () => {
  let limited: TestApp;
  beforeAll(async () => {
    const env = { RATE_LIMIT: 'true', TRUST_PROXY: '127.0.0.1', RATE_LIMITS: 'mail-mailbox=8/3600' };
    limited = await startTestApp({ env });
  });
  afterAll(() => limited.close());

  const from = (address: string) => ({ headers: { 'x-forwarded-for': address } });
  const registerFrom = (address: string, account: TestAccount) =>
    limited.client.post('/v1/user/register', account, from(address));

  it('leave the owner a registration after a stranger has used up theirs, and goes on', async () => {
    const { mail } = registration();
    for (let times = 0; times < 5; times++) expectOk(await registerFrom('192.0.2.1', registration({ mail })));
    for (let times = 0; times < 20; times++)
      expectFailure(await registerFrom('192.0.2.1', registration({ mail })), 429, 1006);
    const owner = registration({ mail });
    expectOk(await registerFrom('198.51.100.7', owner));
    const again = { mail, app_id: 'pluto' };
    expectOk(await limited.client.post('/v1/user/register/verify/mail', again, from('198.51.100.7')), {});
  });

  it('protect a mailbox from many strangers together', async () => {
    const { mail } = registration();
    const answers = [];
    for (let index = 0; index < 12; index++)
      answers.push(await registerFrom(`203.0.113.${index}`, registration({ mail })));
    expect(countByCode(answers)).toEqual({ 0: 8, 1006: 4 });
    const { manager } = limited.dataSource;
    expect(await manager.countBy(Identity, { pendingKey: mail })).toBe(8);
  });

  it('do not show which mail belongs to the handle of a pending registration', async () => {
    const [pending, unrelated] = [registration(), registration()];
    expectOk(await registerFrom('192.0.2.20', pending));
    const ask = async (by: object, address: string) =>
      (await limited.client.post('/v1/user/register/verify/mail', { ...by, app_id: 'pluto' }, from(address)))
        .code;
    const tries = Array.from({ length: 12 }, (_, index) => `192.0.2.${30 + (index % 3)}`);
    const byHandle: Record<string, number[]> = {};
    for (const user_id of [pending.user_id, 'nobody-has-it']) {
      byHandle[user_id] = [];
      for (const address of tries) byHandle[user_id].push(await ask({ user_id }, address));
    }
    expect(byHandle[pending.user_id]).toEqual(byHandle['nobody-has-it']);
    const byMail = [];
    for (const { mail } of [pending, unrelated])
      byMail.push(await Promise.all(tries.slice(0, 3).map((address) => ask({ mail }, address))));
    expect(byMail).toEqual([
      [0, 0, 0],
      [0, 0, 0],
    ]);
  });
});

describe('SKIP_REGISTER_VERIFY_MAIL=true', () => {
  it('ends what is pending for a mail, and gives one of two concurrent registrations the mail', async () => {
    const skipping = await startTestApp({
      on: { ...app, close: () => Promise.resolve() },
      env: { SKIP_REGISTER_VERIFY_MAIL: 'true' },
      sendMails: false,
    });
    try {
      const pending = await registerPending();
      const rivals = [0, 1].map(() => registration({ mail: pending.mail }));
      const answers = await Promise.all(rivals.map((rival) => register(rival, skipping)));
      expect(countByCode(answers)).toEqual({ 0: 1, 2001: 1 });
      const handles = [pending, ...rivals].map(({ user_id }) => user_id);
      expect(await app.dataSource.manager.countBy(User, { handle: In(handles) })).toBe(1);
      expectPage(await app.client.page(await app.mailbox.linkTo(pending.mail)), 404, DEAD);
    } finally {
      await skipping.stop();
    }
  });
});

it('leaves the search index exact', () => expectSearchIndexIsExact(app));
