import { addAccount, login, type TestAccount, type Tokens } from '../support/accounts.js';
import { readAudit } from '../support/audit.js';
import { firstAdministrator } from '../support/administration.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { addClient, getTokens } from '../support/oauth.js';
import type { Answer } from '../support/client.js';
import { expectFailure, expectOk } from '../support/expectations.js';
import { openSession } from '../support/sessions.js';
import { addUser } from '../support/users.js';

const NEXT = 'a battery staple';

let app: TestApp;
beforeAll(async () => (app = await startTestApp()));
afterAll(() => app.close());

const change = ({ access_token: token }: Pick<Tokens, 'access_token'>, body: object): Promise<Answer> =>
  app.client.post('/v1/user/password/change', body, { token });

async function owner(): Promise<{ account: TestAccount & { id: number }; tokens: Tokens }> {
  const account = await addAccount(app);
  return { account, tokens: await login(app, account) };
}

const logInWith = ({ mail }: TestAccount, password: string) =>
  app.client.post('/v1/user/login/account', { account: mail, password, app_id: 'pluto' });
const isEnded = async ({ access_token: token }: Tokens) =>
  (await app.client.get('/v1/user/info', { token })).code === 3009;

describe('POST /v1/user/password/change', () => {
  it('replaces the password, ends the other sessions, and tells the owner by mail', async () => {
    const { account, tokens } = await owner();
    const other = await login(app, account);
    expectOk(await change(tokens, { old_password: account.password, new_password: NEXT }), {});
    expect([await isEnded(tokens), await isEnded(other)]).toEqual([false, true]);
    expectFailure(await logInWith(account, account.password), 403, 3001);
    expectOk(await logInWith(account, NEXT));
    expect((await app.mailbox.waitFor(account.mail)).subject).toMatch(/password/i);
    const { events } = await readAudit(await firstAdministrator(app), {
      user_id: account.id,
      type: 'password.changed',
    });
    expect(events).toEqual([
      expect.objectContaining({ actor: { kind: 'user', user_id: account.id, client: '' }, detail: {} }),
    ]);
  });

  it('makes links to reset the former password useless', async () => {
    const { account, tokens } = await owner();
    expectOk(await app.client.post('/v1/user/password/reset/mail', { mail: account.mail, app_id: 'pluto' }));
    const link = await app.mailbox.linkTo(account.mail);
    expectOk(await change(tokens, { old_password: account.password, new_password: NEXT }));
    expect((await app.client.page(link)).status).toBe(404);
  });

  it('refuses a wrong password with 3001 and changes nothing', async () => {
    const { account, tokens } = await owner();
    const other = await login(app, account);
    expectFailure(await change(tokens, { old_password: 'another one', new_password: NEXT }), 403, 3001);
    expectOk(await logInWith(account, account.password));
    expect(await isEnded(other)).toBe(false);
  });

  it('refuses an account without a password with 2009', async () => {
    const id = await addUser(app, { identities: [{ loginType: 'google', mail: 'goo@example.com' }] });
    const { accessToken: access_token } = await openSession(app, id, 'pluto');
    expectFailure(await change({ access_token }, { old_password: 'any', new_password: NEXT }), 400, 2009);
  });

  it.each([
    ['short', 'short'],
    ['common', 'password123'],
    ['no text', 7],
    ['missing', undefined],
  ])('refuses a new password that is %s with 1001', async (_what, new_password) => {
    const { account, tokens } = await owner();
    expectFailure(await change(tokens, { old_password: account.password, new_password }), 400, 1001);
    expectOk(await logInWith(account, account.password));
  });

  it('refuses a new password that is the mail address', async () => {
    const { account, tokens } = await owner();
    const answer = await change(tokens, { old_password: account.password, new_password: account.mail });
    expectFailure(answer, 400, 1001, expect.stringContaining('password must not be your mail address'));
  });

  it('lets one of many concurrent changes win', async () => {
    const { account, tokens } = await owner();
    const words = ['one', 'two', 'three', 'four'].map((word) => `${NEXT} ${word}`);
    const answers = await Promise.all(
      words.map((new_password) => change(tokens, { old_password: account.password, new_password })),
    );
    expect(answers.map(({ code }) => code).sort()).toEqual([0, 3001, 3001, 3001]);
    const winner = words[answers.findIndex(({ code }) => code === 0)]!;
    expectOk(await logInWith(account, winner));
  });

  it('refuses an OAuth client with 1002', async () => {
    const { account } = await owner();
    const body = { grant_type: 'password', user: account.mail, password: account.password, app_id: 'pluto' };
    const ofClient = await getTokens(app, await addClient(app), body);
    const answer = await change(ofClient, { old_password: account.password, new_password: NEXT });
    expectFailure(answer, 403, 1002);
  });

  // At the end, because Passport's strategy is global and belongs to the server started last.
  it('counts wrong passwords as a sign-in does', async () => {
    const limited = await startTestApp({
      on: app,
      env: { RATE_LIMIT: 'true', RATE_LIMITS: 'login-typed=2/900' },
    });
    const { account, tokens } = await owner();
    const attempt = (old_password: string) =>
      limited.client.post(
        '/v1/user/password/change',
        { old_password, new_password: NEXT },
        { token: tokens.access_token },
      );
    const codes = [];
    for (let tries = 0; tries < 12; tries++) codes.push((await attempt(`wrong ${tries}`)).code);
    expect(codes.slice(0, 2)).toEqual([3001, 3001]);
    expect(codes.at(-1)).toBe(1006);
    expectFailure(await attempt(account.password), 429, 1006);
    await limited.stop();
  });
});
