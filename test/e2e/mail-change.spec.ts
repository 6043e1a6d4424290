import type { ParsedMail } from 'mailparser';
import { MailChangeRecords } from '../../src/auth/mail-change/mail-change-records.service.js';
import { MailChange } from '../../src/auth/mail-change/mail-change.entity.js';
import { Mail } from '../../src/mail/mail.entity.js';
import { addAccount, login, registration } from '../support/accounts.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { nextNumber, type Answer } from '../support/client.js';
import { linksAreQueued } from '../support/link-requests.js';
import { freezeClock, passSeconds, thawClock } from '../support/clock.js';
import { eventually } from '../support/eventually.js';
import { countByCode, expectFailure, expectOk, expectPage } from '../support/expectations.js';
import { openForm, sendForm, type OpenForm } from '../support/forms.js';
import { linkIn } from '../support/mailbox.js';
import { openSession } from '../support/sessions.js';
import { addUser } from '../support/users.js';

const DAY = 24 * 3600;
const DEAD = 'This link does not work';
const NEW_PASSWORD = 'fresh horse battery';

let app: TestApp;
let second: TestApp;
beforeAll(async () => {
  const env = { ACCESS_TOKEN_TTL: String(20 * DAY), REFRESH_TOKEN_TTL: String(30 * DAY) };
  app = await startTestApp({ env });
  second = await startTestApp({ on: app, env });
});
afterEach(() => thawClock());
afterAll(async () => {
  await second.stop();
  await app.close();
});

interface Owner {
  id: number;
  mail: string;
  password: string;
  token: string;
}

async function owner(): Promise<Owner> {
  const { id, mail, password } = await addAccount(app);
  const { accessToken: token } = await openSession(app, id, 'pluto');
  return { id, mail, password, token };
}

const newMail = () => `new${nextNumber()}@example.com`;

function change({ token }: Pick<Owner, 'token'>, mail: unknown, server = app): Promise<Answer> {
  return server.client.post('/v1/user/mail/change', { mail }, { token });
}

/** The mails of one kind to an address, once every queued mail has been written. */
async function mailsTo(address: string, subject: RegExp): Promise<ParsedMail[]> {
  await eventually(async () => (await app.dataSource.manager.count(Mail)) === 0, 'the mails');
  return (await app.mailbox.to(address)).filter((mail) => subject.test(mail.subject ?? ''));
}

const CONFIRM = /Confirm your new email address/;
const STOP = /about to change/;
const UNDO = /was changed/;

async function linkTo(address: string, subject: RegExp): Promise<string> {
  const mails = await mailsTo(address, subject);
  return linkIn(mails.at(-1)!);
}

const mailOf = async ({ token }: Pick<Owner, 'token'>) =>
  ((await app.client.get('/v1/user/info', { token })).body as { mail: string }).mail;

/** An account whose change is mailed and not confirmed. */
async function requested(): Promise<Owner & { next: string; confirmLink: string; stopLink: string }> {
  const ann = await owner();
  const next = newMail();
  expectOk(await change(ann, next), {});
  const links = { confirmLink: await linkTo(next, CONFIRM), stopLink: await linkTo(ann.mail, STOP) };
  return { ...ann, next, ...links };
}

async function changed(): Promise<Awaited<ReturnType<typeof requested>> & { undoLink: string }> {
  const ann = await requested();
  expectPage(await app.client.submit(ann.confirmLink), 200, 'Email address changed');
  return { ...ann, undoLink: await linkTo(ann.mail, UNDO) };
}

const tryLogin = (account: string, password: string) =>
  app.client.post('/v1/user/login/account', { account, password, app_id: 'pluto' });

describe('POST /v1/user/mail/change', () => {
  it('mails a link to the new address and tells the present one, which stays', async () => {
    const ann = await requested();
    expect(await mailOf(ann)).toBe(ann.mail);
    expectOk(await tryLogin(ann.mail, ann.password));
    expectFailure(await tryLogin(ann.next, ann.password), 403, 3001);
    const [told] = await mailsTo(ann.mail, STOP);
    expect(told!.text).toContain(ann.next);
    const [asked] = await mailsTo(ann.next, CONFIRM);
    expect(asked!.text).not.toContain(ann.mail);
  });

  it.each([
    ['zh', '请确认您在 pluto 的新邮箱地址', '您在 pluto 的邮箱地址即将更换'],
    ['ja', '【pluto】新しいメールアドレスの確認', '【pluto】メールアドレスの変更手続き'],
  ])('writes to a reader of %s in that language', async (language, confirm, stop) => {
    const ann = await owner();
    const next = newMail();
    const options = { token: ann.token, headers: { 'accept-language': language } };
    expectOk(await app.client.post('/v1/user/mail/change', { mail: next }, options));
    expect((await mailsTo(next, /./)).map(({ subject }) => subject)).toEqual([confirm]);
    expect((await mailsTo(ann.mail, /./)).map(({ subject }) => subject)).toEqual([stop]);
  });

  it('refuses the present address with 2007, and one of another account with 2001', async () => {
    const [ann, bob] = [await owner(), await owner()];
    expectFailure(await change(ann, ann.mail), 403, 2007);
    expectFailure(await change(ann, bob.mail), 403, 2001);
    expectFailure(await change(ann, bob.mail.toUpperCase()), 403, 2001);
    expect(await mailsTo(bob.mail, /./)).toEqual([]);
  });

  it('refuses an account without a confirmed mail with 2008', async () => {
    const id = await addUser(app, { identities: [{ loginType: 'google', mail: 'grace@gmail.com' }] });
    const { accessToken: token } = await openSession(app, id, 'pluto');
    expectFailure(await change({ token }, newMail()), 403, 2008);
    expectOk(await app.client.post('/v1/user/binding', { type: 'mail', mail: newMail() }, { token }));
    expectFailure(await change({ token }, newMail()), 403, 2008);
  });

  it.each([[undefined], [null], ['no mail'], [['a@example.com']], ['a@localhost']])(
    'refuses %j as an address with 1001',
    async (mail) => {
      expectFailure(await change(await owner(), mail), 400, 1001);
    },
  );

  it('accepts another spelling of the same mailbox', async () => {
    const ann = await owner();
    const next = ann.mail.replace('user', 'User');
    expectOk(await change(ann, next), {});
    expectPage(await app.client.submit(await linkTo(next, CONFIRM)), 200, 'Email address changed');
    expect(await mailOf(ann)).toBe(next);
  });

  it('takes the place of an unconfirmed registration of the address', async () => {
    const ann = await owner();
    const stranger = registration();
    expectOk(await app.client.post('/v1/user/register', stranger));
    expectOk(await change(ann, stranger.mail), {});
    const link = await linkTo(stranger.mail, CONFIRM);
    expectPage(await app.client.submit(link), 200, 'Email address changed');
    expect(await mailOf(ann)).toBe(stranger.mail);
    expectFailure(await tryLogin(stranger.mail, stranger.password), 403, 3001);
  });

  it('tells the present address once an hour; that link stops later requests as well', async () => {
    const ann = await requested();
    const next = newMail();
    expectOk(await change(ann, next), {});
    expect(await mailsTo(ann.mail, STOP)).toHaveLength(1);
    expectPage(await app.client.submit(ann.stopLink), 200, 'Change stopped');
    expectPage(await app.client.page(await linkTo(next, CONFIRM)), 404, DEAD);
  });
});

describe('the link to the new address', () => {
  it('changes nothing when it is opened', async () => {
    const ann = await requested();
    for (let times = 0; times < 2; times++)
      expectPage(await app.client.page(ann.confirmLink), 200, 'Use this email address');
    expect(await mailOf(ann)).toBe(ann.mail);
  });

  it('changes the address by its button; sessions stay, and the former address can undo it', async () => {
    const ann = await changed();
    expect(await mailOf(ann)).toBe(ann.next);
    expectOk(await tryLogin(ann.next, ann.password));
    expectFailure(await tryLogin(ann.mail, ann.password), 403, 3001);
    const [told] = await mailsTo(ann.mail, UNDO);
    expect(told!.text).toContain('The link is valid for 7 days');
    expectPage(await app.client.page(ann.confirmLink), 404, DEAD);
  });

  it.each([
    ['zh-CN', '确认您的新邮箱地址', '邮箱地址已更换'],
    ['ja', '新しいメールアドレスの確認', 'メールアドレスを変更しました'],
  ])('is in the language %s, and leads on to the sign-in', async (language, title, done) => {
    const { confirmLink } = await requested();
    expectPage(await app.client.page(confirmLink, { 'accept-language': language }), 200, title);
    const page = await app.client.submit(confirmLink, {}, { 'accept-language': language });
    expectPage(page, 200, done);
    expect(page.text).toContain('href="/web/login?app_id&#x3D;pluto"');
  });

  it('makes reset links to the former address useless', async () => {
    const ann = await requested();
    expectOk(await app.client.post('/v1/user/password/reset/mail', { mail: ann.mail, app_id: 'pluto' }));
    await linksAreQueued(app);
    const reset = await linkTo(ann.mail, /Reset/);
    expectPage(await app.client.submit(ann.confirmLink), 200, 'Email address changed');
    expectPage(await app.client.page(reset), 404, DEAD);
  });

  it('expires with VERIFY_TOKEN_TTL', async () => {
    freezeClock();
    const ann = await requested();
    passSeconds(DAY - 1);
    expectPage(await app.client.page(ann.confirmLink), 200, 'Use this email address');
    passSeconds(1);
    expectPage(await app.client.page(ann.confirmLink), 404, DEAD);
    expectPage(await app.client.submit(ann.stopLink), 200, 'Change stopped');
  });

  it('is replaced by that of a later request', async () => {
    const ann = await requested();
    const next = newMail();
    expectOk(await change(ann, next), {});
    expectPage(await app.client.page(ann.confirmLink), 404, DEAD);
    expectPage(await app.client.submit(await linkTo(next, CONFIRM)), 200, 'Email address changed');
    expect(await mailOf(ann)).toBe(next);
  });

  it('says so when another account has confirmed the address meanwhile', async () => {
    const ann = await requested();
    await addAccount(app, { mail: ann.next });
    const page = await app.client.submit(ann.confirmLink);
    expectPage(page, 403, 'This address is in use');
    expect(page.text).toContain('href="/web/login?app_id&#x3D;pluto"');
    expect(await mailOf(ann)).toBe(ann.mail);
  });

  it('does nothing once the account is deleted or its mail unbound', async () => {
    const [ann, bob] = [await requested(), await requested()];
    const form = await openForm(app.client, ann.confirmLink);
    expectOk(await app.client.post('/v1/user/delete', undefined, { token: ann.token }));
    expectPage(await sendForm(app.client, form), 404, DEAD);
    expectPage(await app.client.page(ann.stopLink), 404, DEAD);
    await app.dataSource.query('DELETE FROM identities WHERE mail = ?', [bob.mail]);
    expectPage(await app.client.page(bob.confirmLink), 200, 'Use this email address');
    expectPage(await app.client.submit(bob.confirmLink), 404, DEAD);
  });

  it('is refused without the form of the page', async () => {
    const { confirmLink } = await requested();
    const answer = await app.client.request('POST', confirmLink, { headers: { accept: 'text/html' } });
    expectPage(answer, 403, 'This form has expired');
  });
});

describe('the links to the former address', () => {
  it('change nothing when they are opened', async () => {
    const [ann, bob] = [await requested(), await changed()];
    expectPage(await app.client.page(ann.stopLink), 200, 'Stop the change');
    for (const link of [bob.stopLink, bob.undoLink])
      expectPage(await app.client.page(link), 200, 'Undo the change');
    expect(await mailOf(bob)).toBe(bob.next);
    expectPage(await app.client.submit(ann.confirmLink), 200, 'Email address changed');
  });

  it('stop a change that is not confirmed, end all sessions, and lead on to a new password', async () => {
    const ann = await requested();
    const page = await app.client.submit(ann.stopLink);
    expectPage(page, 200, 'Change stopped');
    expect(page.text).toContain('href="/web/password/forgot?app_id&#x3D;pluto"');
    expectPage(await app.client.page(ann.confirmLink), 404, DEAD);
    expectFailure(await app.client.get('/v1/user/info', { token: ann.token }), 403, 3009);
    expectOk(await tryLogin(ann.mail, ann.password));
    expectPage(await app.client.page(ann.stopLink), 404, DEAD);
  });

  it.each(['stopLink', 'undoLink'] as const)(
    'undo a confirmed change (%s): address back, sessions ended, password void, reset mailed',
    async (name) => {
      const ann = await changed();
      expectOk(await app.client.post('/v1/user/password/reset/mail', { mail: ann.next, app_id: 'pluto' }));
      await linksAreQueued(app);
      const thiefs = await linkTo(ann.next, /Reset/);
      expectPage(await app.client.submit(thiefs, { password: 'thief password' }), 200, 'Password changed');

      expectPage(await app.client.submit(ann[name]), 200, 'Change undone');
      for (const [account, password] of [
        [ann.mail, ann.password],
        [ann.mail, 'thief password'],
        [ann.next, 'thief password'],
      ] as const)
        expectFailure(await tryLogin(account, password), 403, 3001);
      expectFailure(await app.client.get('/v1/user/info', { token: ann.token }), 403, 3009);
      const reset = await linkTo(ann.mail, /Reset/);
      expectPage(await app.client.submit(reset, { password: NEW_PASSWORD }), 200, 'Password changed');
      const tokens = await login(app, { mail: ann.mail, password: NEW_PASSWORD });
      expect(await mailOf({ token: tokens.access_token })).toBe(ann.mail);
      for (const link of [ann.stopLink, ann.undoLink]) expectPage(await app.client.page(link), 404, DEAD);
    },
  );

  it('work for seven days after the confirmation', async () => {
    freezeClock();
    const ann = await changed();
    passSeconds(7 * DAY - 1);
    expectPage(await app.client.page(ann.undoLink), 200, 'Undo the change');
    passSeconds(1);
    for (const link of [ann.undoLink, ann.stopLink]) expectPage(await app.client.page(link), 404, DEAD);
    expect(await mailOf(ann)).toBe(ann.next);
    await app.app.get(MailChangeRecords).purgeOld(AbortSignal.timeout(10_000));
    expect(await app.dataSource.manager.existsBy(MailChange, { userId: ann.id })).toBe(false);
  });

  it('undo every later change as well, whose own links then do nothing', async () => {
    const ann = await changed();
    const third = newMail();
    expectOk(await change(ann, third), {});
    expectPage(await app.client.submit(await linkTo(third, CONFIRM)), 200, 'Email address changed');
    const thiefs = await linkTo(ann.next, UNDO);
    expectPage(await app.client.submit(ann.undoLink), 200, 'Change undone');
    expectPage(await app.client.page(thiefs), 404, DEAD);
    const reset = await linkTo(ann.mail, /Reset/);
    expectPage(await app.client.submit(reset, { password: NEW_PASSWORD }), 200, 'Password changed');
  });

  it('bring the address back though the new one has been unbound', async () => {
    const ann = await changed();
    await app.dataSource.query('DELETE FROM identities WHERE mail = ?', [ann.next]);
    expectPage(await app.client.submit(ann.undoLink), 200, 'Change undone');
    const reset = await linkTo(ann.mail, /Reset/);
    expectPage(await app.client.submit(reset, { password: NEW_PASSWORD }), 200, 'Password changed');
    await login(app, { mail: ann.mail, password: NEW_PASSWORD });
  });

  it('take the address from nobody who has confirmed it since', async () => {
    const ann = await changed();
    await addAccount(app, { mail: ann.mail });
    expectPage(await app.client.submit(ann.undoLink), 404, DEAD);
    expect(await mailOf(ann)).toBe(ann.next);
  });

  it.each([
    ['zh-CN', '要撤销更换吗？', '已撤销更换'],
    ['ja', '変更を取り消しますか？', '変更を取り消しました'],
  ])('are in the language %s', async (language, title, done) => {
    const { undoLink } = await changed();
    expectPage(await app.client.page(undoLink, { 'accept-language': language }), 200, title);
    expectPage(await app.client.submit(undoLink, {}, { 'accept-language': language }), 200, done);
  });
});

describe('concurrently, on two instances,', () => {
  /** Sends forms that were opened before, alternately by both servers. */
  const sendAll = (forms: OpenForm[]) =>
    Promise.all(forms.map((form, index) => sendForm([app, second][index % 2]!.client, form)));

  it('two requests leave one that can be confirmed', async () => {
    const ann = await owner();
    const mails = Array.from({ length: 6 }, newMail);
    const answers = await Promise.all(
      mails.map((mail, index) => change(ann, mail, [app, second][index % 2])),
    );
    expect(countByCode(answers)).toEqual({ 0: 6 });
    const open = await app.dataSource.manager.findBy(MailChange, { userId: ann.id, state: 'requested' });
    expect(open).toHaveLength(1);
    expect(await mailsTo(ann.mail, STOP)).toHaveLength(1);
  });

  it('one of many uses of the link changes the address, and tells the former one once', async () => {
    const ann = await requested();
    const form = await openForm(app.client, ann.confirmLink);
    const answers = await sendAll(Array.from({ length: 8 }, () => form));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 404)).toHaveLength(7);
    expect(await mailsTo(ann.mail, UNDO)).toHaveLength(1);
  });

  it('two accounts that want the same address: one gets it', async () => {
    const [ann, bob] = [await owner(), await owner()];
    const next = newMail();
    for (const one of [ann, bob]) expectOk(await change(one, next), {});
    const links = (await mailsTo(next, CONFIRM)).map(linkIn);
    const forms = await Promise.all(links.map((link) => openForm(app.client, link)));
    const answers = await sendAll(forms);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 403]);
    expect([await mailOf(ann), await mailOf(bob)].filter((mail) => mail === next)).toHaveLength(1);
  });

  it('confirming and stopping: the former address wins, or can undo', async () => {
    const ann = await requested();
    const forms = [await openForm(app.client, ann.confirmLink), await openForm(app.client, ann.stopLink)];
    const [, stop] = await sendAll(forms);
    expect(stop!.status).toBe(200);
    expectFailure(await tryLogin(ann.next, ann.password), 403, 3001);
    expectFailure(await app.client.get('/v1/user/info', { token: ann.token }), 403, 3009);
  });

  it('confirming and deleting: both end, and nothing is left', async () => {
    const ann = await requested();
    const form = await openForm(app.client, ann.confirmLink);
    const [confirmation, deletion] = await Promise.all([
      sendForm(app.client, form),
      second.client.post('/v1/user/delete', undefined, { token: ann.token }),
    ]);
    expectOk(deletion, {});
    expect([200, 404]).toContain(confirmation.status);
    expect(await app.dataSource.manager.existsBy(MailChange, { userId: ann.id })).toBe(false);
    expectFailure(await tryLogin(ann.next, ann.password), 403, 3001);
  });
});
