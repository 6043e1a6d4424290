import { Housekeeping } from '../../src/housekeeping/housekeeping.service.js';
import { Mail } from '../../src/mail/mail.entity.js';
import { MailWorker } from '../../src/mail/mail.worker.js';
import { User } from '../../src/users/user.entity.js';
import { expectSearchIndexIsExact } from '../support/search-index.js';
import { login, registration } from '../support/accounts.js';
import { firstAdministrator } from '../support/administration.js';
import { openSession } from '../support/sessions.js';
import { nextNumber, type Answer } from '../support/client.js';
import { freezeClock, passSeconds } from '../support/clock.js';
import { environmentOf, runPluto } from '../support/command-line.js';
import { expectFailure, expectOk, expectPage } from '../support/expectations.js';
import { openForm, sendForm } from '../support/forms.js';
import { countLinksOf, linksAreQueued } from '../support/link-requests.js';
import { addUser } from '../support/users.js';
import {
  account,
  type Account,
  ALREADY,
  app,
  bind,
  confirm,
  CONFIRMED,
  DEAD,
  expectMail,
  infoOf,
  newMail,
  ownersOf,
  pending,
  type Pending,
  register,
  shop,
  skipping,
  unbind,
  useMailOwners,
} from '../support/mail-owners.js';

useMailOwners();

const DAY_SECONDS = 86_400;
const PASSWORD = 'fresh horse battery';

async function confirmed(): Promise<Pending> {
  const owner = await pending();
  expectPage(await confirm(owner), 200, CONFIRMED);
  return owner;
}

async function expectDead({ form }: Pick<Pending, 'form'>): Promise<void> {
  expectPage(await app.client.page(form.path), 404, DEAD);
  expectPage(await sendForm(app.client, form), 404, DEAD);
}

function tryLogin(name: string, password = PASSWORD): Promise<Answer> {
  return app.client.post('/v1/user/login/account', { account: name, password, app_id: 'pluto' });
}

async function askForReset(mail: string): Promise<void> {
  expectOk(await app.client.post('/v1/user/password/reset/mail', { mail, app_id: 'pluto' }), {});
}

function sendAgain(by: { mail: string } | { user_id: string }): Promise<Answer> {
  return app.client.post('/v1/user/register/verify/mail', { ...by, app_id: 'pluto' });
}

function countLinks(): Promise<number> {
  return countLinksOf(app);
}

describe('POST /v1/user/binding with a mail', () => {
  it('has no effect until its link has been used, not even for a password reset', async () => {
    const owner = await pending();
    await expectMail(owner, '');
    expectFailure(await tryLogin(owner.mail), 403, 3001);
    const before = await countLinks();
    await askForReset(owner.mail);
    expect(await countLinks()).toBe(before);
    const admin = await firstAdministrator(app);
    const { body } = await admin.get(`/v1/user/search?name=${owner.handle}`);
    expect(body.users).toMatchObject([{ id: owner.id, bindings: [owner.google] }]);
  });

  it('takes effect then: shown, usable for a reset, and with a password to sign in', async () => {
    const owner = await confirmed();
    await expectMail(owner, owner.mail);
    expect(await infoOf(owner)).toMatchObject({ is_password_set: false });
    expectFailure(await tryLogin(owner.mail), 403, 3001);

    await askForReset(owner.mail.toUpperCase());
    const reset = await app.client.submit(await app.mailbox.linkTo(owner.mail, 2), { password: PASSWORD });
    expectPage(reset, 200, 'Password changed');
    for (const name of [owner.mail, owner.handle]) {
      const answer = await tryLogin(name);
      expectOk(answer);
      await expectMail({ ...owner, token: answer.body.access_token as string }, owner.mail);
    }

    const { accessToken: token } = await openSession(app, owner.id, 'pluto');
    expectOk(await unbind({ ...owner, token }), {});
    const other = newMail();
    expectOk(await bind({ ...owner, token }, other), {});
    for (const name of [other, owner.handle]) {
      expectFailure(await tryLogin(name), 403, 2003);
      expectFailure(await tryLogin(name, 'wrong password'), 403, 3001);
    }
    const before = await countLinks();
    await askForReset(other);
    expect(await countLinks()).toBe(before);
  });

  it('is sent its link again by POST /v1/user/register/verify/mail, and by being bound again', async () => {
    const owner = await pending();
    expectOk(await sendAgain({ mail: owner.mail.toUpperCase() }), {});
    expectOk(await sendAgain({ user_id: owner.handle }), {});
    await app.mailbox.waitFor(owner.mail, 3);
    expectOk(await bind(owner, owner.mail), {});
    const last = await app.mailbox.linkTo(owner.mail, 4);
    await expectMail(owner, '');

    expectPage(await confirm(owner), 200, CONFIRMED);
    expectPage(await app.client.page(last), 200, ALREADY);
    await expectMail(owner, owner.mail);
    expectFailure(await sendAgain({ mail: owner.mail }), 400, 2004);
  });

  it('names the account on the page of the link', async () => {
    const { form, mail, handle, name } = await pending();
    const page = await app.client.page(form.path);
    for (const text of [mail, name, `@${handle}`]) expectPage(page, 200, text);
  });

  it('refuses any mail with 2007 once one is confirmed', async () => {
    const owner = await confirmed();
    const before = await countLinks();
    for (const mail of [newMail(), owner.mail]) expectFailure(await bind(owner, mail), 403, 2007);
    expect(await countLinks()).toBe(before);
    await expectMail(owner, owner.mail);
  });

  it.each([
    ['case', 'Case#@Example.com', 'cASE#@eXAMPLE.COM'],
    ['İ', '\u0130pek#@example.com', 'i\u0307PEK#@example.com'],
    ['ς', 'sofo\u03c2.#@example.com', 'SOFO\u03a3.#@example.com'],
    ['width', 'wide#@example.com', '\uff37\uff49\uff44\uff45#@example.com'],
  ])(
    'refuses a mail that another account has confirmed with 2001, whatever its %s',
    async (_, has, wants) => {
      const number = String(nextNumber());
      const identities = [{ loginType: 'mail' as const, mail: has.replace('#', number) }];
      await addUser(app, { identities });
      const owner = await account();
      for (const mail of [has, wants]) expectFailure(await bind(owner, mail.replace('#', number)), 403, 2001);
      await expectMail(owner, '');
      expectOk(await bind(await account(shop), wants.replace('#', number)), {});
    },
  );

  it('is replaced by another mail of the account, and its link stops working', async () => {
    const owner = await pending();
    const other = newMail();
    expectOk(await bind(owner, other), {});
    await expectDead(owner);
    await expectMail(owner, '');

    // Binding it again, by any account, sends a new link.
    expectOk(await bind(await account(), owner.mail), {});
    await app.mailbox.waitFor(owner.mail, 2);
    await expectDead(owner);
    expectPage(await app.client.submit(await app.mailbox.linkTo(other)), 200, CONFIRMED);
    await expectMail(owner, other);
  });

  it('ends a pending registration only once it is confirmed', async () => {
    const [registered, owner] = [registration(), await account()];
    expectOk(await register(registered));
    const form = await openForm(app.client, await app.mailbox.linkTo(registered.mail));
    const mail = registered.mail.replace('user', 'USER');
    expectOk(await bind(owner, mail), {});

    expectPage(await app.client.page(form.path), 200, 'Confirm');
    expectFailure(await tryLogin(registered.mail, registered.password), 403, 2003);
    const link = await app.mailbox.linkTo(mail);
    expectPage(await app.client.submit(link, { user_id: owner.handle }), 200, CONFIRMED);
    await expectMail(owner, mail);
    await expectDead({ form });
    expectFailure(await tryLogin(registered.mail, registered.password), 403, 3001);
    expect(await app.dataSource.manager.countBy(User, { handleKey: registered.user_id })).toBe(0);
    expectOk(await register(registration({ user_id: registered.user_id })));
    expectFailure(await register(registration({ mail: registered.mail })), 403, 2001);
  });

  it.each(['registration', 'binding'])(
    'stays next to the %s of somebody else, until that is confirmed; the account stays',
    async (by) => {
      const [owner, other] = [await pending(), await account()];
      const registered = registration({ mail: owner.mail });
      expectOk(by === 'binding' ? await bind(other, owner.mail) : await register(registered));
      expectPage(await app.client.page(owner.form.path), 200, 'Confirm');

      const proof: Record<string, string> =
        by === 'binding' ? { user_id: other.handle } : { password: registered.password };
      const link = await app.mailbox.linkTo(owner.mail, 2);
      expectPage(await app.client.submit(link, proof), 200, CONFIRMED);
      await expectDead(owner);
      await expectMail(owner, '');
      expectFailure(await unbind(owner), 403, 2008);
      if (by === 'binding') await expectMail(other, owner.mail);
      else await login(app, registered);
      expectFailure(await bind(owner, owner.mail), 403, 2001);
    },
  );

  it('asks for the handle of an account without a password if the mail is contested', async () => {
    const [owner, other] = [await pending(), await account()];
    expectOk(await bind(other, owner.mail), {});
    const page = await app.client.page(owner.form.path);
    expectPage(page, 200, 'enter your username');
    expect(page.text).not.toContain(owner.handle);
    const wrong: Record<string, string>[] = [{}, { user_id: other.handle }, { password: PASSWORD }];
    for (const fields of wrong) expectPage(await app.client.submit(owner.form.path, fields), 403, 'Username');
    await expectMail(owner, '');
    const typed = { user_id: ` @${owner.handle.toUpperCase()} ` };
    expectPage(await app.client.submit(owner.form.path, typed), 200, CONFIRMED);
    await expectMail(owner, owner.mail);
  });

  it.each([
    ['zh-CN,zh;q=0.9', '请确认您在 pluto 的邮箱地址'],
    ['ja', '【pluto】メールアドレスの確認'],
    ['fr', 'Confirm your email address for pluto'],
  ])('writes to a reader of %s in that language', async (language, subject) => {
    const [owner, mail] = [await account(), newMail()];
    expectOk(await bind(owner, mail, app, { 'accept-language': language }), {});
    expect((await app.mailbox.waitFor(mail)).subject).toBe(subject);
  });

  it('refuses an invalid mail with 1001 and keeps the pending one', async () => {
    const owner = await pending();
    const junk = [
      'ann',
      'ann@',
      'ann@localhost',
      'a nn@example.com',
      'ann@exam\nple.com',
      'a@b.com, c@d.com',
    ];
    const odd = [
      '',
      null,
      5,
      true,
      {},
      ['ann@example.com'],
      'ann\ud800@example.com',
      'Ann <ann@example.com>',
    ];
    const long = `${'m'.repeat(64)}@${'d'.repeat(62)}.${'d'.repeat(62)}.${'d'.repeat(62)}.com`;
    for (const mail of [...junk, ...odd, long])
      expectFailure(
        await bind(owner, mail),
        400,
        1001,
        expect.stringMatching(/^Bad Request: mail (must be|is)/),
      );
    expectPage(await confirm(owner), 200, CONFIRMED);
  });
});

describe('POST /v1/user/unbinding of a mail that is not confirmed', () => {
  it('removes it, and its link stops working', async () => {
    const owner = await pending();
    expectOk(await unbind(owner), {});
    await expectDead(owner);
    expectFailure(await unbind(owner), 403, 2008);
    await expectMail(owner, '');
    expect(await ownersOf(owner.mail)).toEqual([]);
  });
});

describe('a mail that is not confirmed', () => {
  const found = async (mail: string) => {
    const admin = await firstAdministrator(app);
    const answer = await admin.get(`/v1/user/search?name=${encodeURIComponent(mail)}`);
    return (answer.body as { users: { id: number }[] }).users.map(({ id }) => id);
  };

  it('is found by administrators only once it is confirmed', async () => {
    const owner = await pending();
    expect(await found(owner.mail)).toEqual([]);
    expectPage(await confirm(owner), 200, CONFIRMED);
    expect(await found(owner.mail)).toEqual([owner.id]);
  });

  it('is confirmed only by a link to its exact spelling', async () => {
    const owner = await pending();
    const respelled = owner.mail.replace('ann', 'Ann');
    expectOk(await bind(owner, respelled), {});
    await expectDead(owner);
    expectPage(await app.client.submit(await app.mailbox.linkTo(respelled)), 200, CONFIRMED);
    await expectMail(owner, respelled);
  });

  it('can be unbound next to a provider that is no longer configured', async () => {
    const owner = await pending();
    const { accessToken } = await openSession(app, owner.id, 'pluto');
    const unset = await skipping.client.post('/v1/user/unbinding', { type: 'mail' }, { token: accessToken });
    expectOk(unset, {});
    await expectDead(owner);
  });
});

describe('a queued mail with a link', () => {
  beforeEach(() => app.app.get(MailWorker).stop());
  afterEach(() => app.app.get(MailWorker).start());

  it.each<[string, number, (owner: Account, mail: string) => Promise<unknown>]>([
    ['unbinding it', 0, (owner) => unbind(owner)],
    ['binding another', 0, (owner) => bind(owner, newMail())],
    ['confirming it elsewhere', 0, async (_, mail) => bind(await account(), mail, skipping)],
    ['(if at all) registering it elsewhere', 3, (_, mail) => register(registration({ mail }))],
    ['(if at all) binding it elsewhere', 3, async (_, mail) => bind(await account(), mail)],
  ])('is not sent after %s', async (_, left, change) => {
    const [owner, mail] = [await account(), newMail()];
    expectOk(await bind(owner, mail), {});
    expectOk(await bind(owner, mail), {});
    await change(owner, mail);
    expect(await app.dataSource.manager.countBy(Mail, { recipient: mail })).toBe(left);
  });

  it('is not sent for a password reset if the account has unbound the mail', async () => {
    const [owner, mail] = [await account(), newMail()];
    expectOk(await bind(owner, mail, skipping), {});
    await askForReset(mail);
    await linksAreQueued(app);
    const resets = { recipient: mail, template: 'password-reset' } as const;
    expect(await app.dataSource.manager.countBy(Mail, resets)).toBe(1);
    expectOk(await unbind(owner), {});
    expect(await app.dataSource.manager.countBy(Mail, resets)).toBe(0);
  });
});

describe('POST /v1/user/binding with SKIP_REGISTER_VERIFY_MAIL=true', () => {
  it('confirms immediately and sends nothing', async () => {
    const [owner, other, mail] = [await account(), await account(), newMail()];
    const before = await countLinks();
    expectOk(await bind(owner, mail, skipping), {});
    await expectMail(owner, mail);
    expectFailure(await bind(owner, newMail(), skipping), 403, 2007);
    expectFailure(await bind(other, mail.toUpperCase(), skipping), 403, 2001);
    expect(await countLinks()).toBe(before);
    expect(await app.dataSource.manager.countBy(Mail, { recipient: mail })).toBe(0);
  });

  it('confirms a pending mail, and takes one that is pending elsewhere', async () => {
    const [owner, other, third] = [await pending(), await pending(), await account()];
    expectOk(await bind(owner, owner.mail, skipping), {});
    await expectMail(owner, owner.mail);
    expectPage(await app.client.page(owner.form.path), 200, ALREADY);
    expectOk(await bind(third, other.mail, skipping), {});
    await expectMail(third, other.mail);
    await expectDead(other);
    await expectMail(other, '');
  });
});

describe('Housekeeping', () => {
  it('removes mails whose links have expired, and their accounts if they have nothing else', async () => {
    freezeClock();
    const [abandoned, boundAgain, registered] = [await pending(), await pending(), registration()];
    expectOk(await register(registered));
    passSeconds(DAY_SECONDS - 1);
    const late = await pending();
    const { accessToken } = await openSession(app, boundAgain.id, 'pluto');
    expectOk(await bind({ ...boundAgain, token: accessToken }, boundAgain.mail), {});
    passSeconds(1);
    await app.app.get(Housekeeping).run();

    const mails = [abandoned, boundAgain, late, registered].map(({ mail }) => mail);
    const owners = await Promise.all(mails.map(ownersOf));
    expect(owners.map(({ length }) => length)).toEqual([0, 1, 1, 0]);
    expect(await app.dataSource.manager.countBy(User, { handleKey: registered.user_id })).toBe(0);
    for (const owner of [abandoned, boundAgain, late]) {
      const { accessToken: token } = await openSession(app, owner.id, 'pluto');
      await expectMail({ ...owner, token }, '');
    }
    expectPage(await app.client.submit(await app.mailbox.linkTo(boundAgain.mail, 2)), 200, CONFIRMED);
  });
});

describe('pluto', () => {
  it('role assign does not find an account by a mail that it has not confirmed', async () => {
    const { mail } = await pending();
    const place = { env: environmentOf(app), cwd: app.dataDir };
    const outcome = await runPluto(['role', 'assign', 'pluto', 'admin', mail], place);
    expect(outcome).toMatchObject({ code: 1, stdout: '', stderr: `pluto has no account ${mail}\n` });
  });
});

it('leaves the search index exact', () => expectSearchIndexIsExact(app));
