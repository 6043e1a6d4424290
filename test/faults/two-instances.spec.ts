import { setTimeout as sleep } from 'node:timers/promises';
import { ConsumedState } from '../../src/auth/providers/wechat/consumed-state.entity.js';
import { Mail } from '../../src/mail/mail.entity.js';
import { PLUTO } from '../../src/applications/pluto-names.js';
import { Application } from '../../src/applications/application.entity.js';
import { Role } from '../../src/rbac/role.entity.js';
import { Scope } from '../../src/rbac/scope.entity.js';
import { Session } from '../../src/token/session.entity.js';
import { SigningKey } from '../../src/token/signing-key.entity.js';
import { Identity } from '../../src/users/identity.entity.js';
import { User } from '../../src/users/user.entity.js';
import { registration, signedIn, registerVerified, type Tokens } from '../support/accounts.js';
import { addAdministrator, firstAdministrator, type Caller } from '../support/administration.js';
import { openSession } from '../support/sessions.js';
import type { TestApp } from '../support/app.js';
import { addApplication, type TestApplication } from '../support/applications.js';
import { builtServer } from '../support/built.js';
import { nextNumber, type Answer, type Client } from '../support/client.js';
import { environmentOf, runPluto } from '../support/command-line.js';
import { eventually } from '../support/eventually.js';
import { countByCode, expectFailure, expectOk } from '../support/expectations.js';
import { openForm, sendForm } from '../support/forms.js';
import { FakeGoogle } from '../support/google.js';
import { linkIn } from '../support/mailbox.js';
import { addClient, askTokens, Browser, exchangeOf } from '../support/oauth.js';
import { ServerProcess } from '../support/server-process.js';
import { decodeToken } from '../support/tokens.js';
import { addUser } from '../support/users.js';
import { FakeWechat, WECHAT_WEB_APP } from '../support/wechat.js';
import { PrivateMariadb } from './support/private-mariadb.js';
import { repetitions } from './support/repetitions.js';
import { Twins } from './support/twins.js';

const TIMES = 10;
const ROUNDS = repetitions({ long: 5, short: 2 });
const GRACE_SECONDS = 1;

let mariadb: PrivateMariadb;
let google: FakeGoogle;
let wechat: FakeWechat;
beforeAll(async () => {
  await builtServer();
  [mariadb, google, wechat] = await Promise.all([
    PrivateMariadb.start(),
    FakeGoogle.start(),
    FakeWechat.start(),
  ]);
}, 180_000);
afterAll(async () => {
  await ServerProcess.killAll();
  await Promise.all([mariadb.stop(), google.close(), wechat.close()]);
});

describe('two instances on one MariaDB', () => {
  let twins: Twins;
  let app: TestApp;
  beforeAll(async () => {
    mariadb.use(true);
    twins = await Twins.start({
      ...google.env,
      ...wechat.env,
      REFRESH_TOKEN_GRACE: String(GRACE_SECONDS),
    });
    ({ app } = twins);
  }, 120_000);
  afterAll(() => twins.close());
  afterEach(() => {
    for (const provider of [google, wechat]) provider.assertNothingUnexpected();
  });

  const rounds = (name: string, round: () => Promise<void>) =>
    it(`${name}, ${ROUNDS} times`, async () => {
      for (let count = 0; count < ROUNDS; count++) await round();
    });
  const as = (token: string) => ({
    post: (client: Client, path: string, body?: unknown) => client.post(path, body, { token }),
    put: (client: Client, path: string, body?: unknown) => client.put(path, body, { token }),
  });
  const register = (client: Client, account: object) => client.post('/v1/user/register', account);
  const logIn = (client: Client, { mail, password }: { mail: string; password: string }) =>
    client.post('/v1/user/login/account', { account: mail, password, app_id: 'pluto' });
  const refresh = (client: Client, { refresh_token }: { refresh_token: string }) =>
    client.post('/v1/token/refresh', { refresh_token, app_id: 'pluto' });
  const winnerOf = (answers: Answer[]) => answers.findIndex(({ code }) => code === 0);
  const idIn = ({ body }: Answer) => decodeToken(body.access_token as string).claims.sub;

  async function allMailsAreOut(): Promise<void> {
    await eventually(async () => (await app.dataSource.manager.count(Mail)) === 0, 'the mails to go', 60_000);
  }

  /** An account with a confirmed mail, signed in. */
  async function account() {
    const id = await addUser(app, {});
    const { accessToken, refreshToken } = await openSession(app, id, PLUTO.application);
    return { id, token: accessToken, tokens: { refresh_token: refreshToken } };
  }

  rounds('a handle is registered once', async () => {
    const { user_id } = registration();
    const accounts = Array.from({ length: TIMES }, () => registration({ user_id }));
    const answers = await twins.race(TIMES, (client, index) => register(client, accounts[index]!));
    expect(countByCode(answers)).toEqual({ 0: 1, 2006: TIMES - 1 });
    expect(await app.dataSource.manager.countBy(User, { handleKey: user_id })).toBe(1);
  });

  rounds('a mail that is pending many times is confirmed once', async () => {
    const { mail } = registration();
    const accounts = Array.from({ length: TIMES }, () => registration({ mail }));
    const answers = await twins.race(TIMES, (client, index) => register(client, accounts[index]!));
    expect(countByCode(answers)).toEqual({ 0: TIMES });
    expect(await app.dataSource.manager.countBy(Identity, { pendingKey: mail })).toBe(TIMES);
    await allMailsAreOut();
    const links = twins.smtp.to(mail).map(linkIn);
    const pages = await Promise.all(links.map((link) => app.client.page(link)));
    const ownerOf = (page: string) => accounts.find(({ user_id }) => page.includes(`@${user_id}<`))!;
    const owners = pages.map(({ text }) => ownerOf(text));
    const forms = await Promise.all(links.map((link, index) => openForm(twins.clients[index % 2]!, link)));
    const confirmed = await twins.race(TIMES, (client, index) =>
      sendForm(client, forms[index]!, { password: owners[index]!.password }),
    );
    expect(confirmed.filter(({ text }) => text.includes('Email address confirmed'))).toHaveLength(1);
    expect(confirmed.filter(({ status }) => status === 404)).toHaveLength(TIMES - 1);
    expect(await app.dataSource.manager.countBy(Identity, { subjectKey: mail })).toBe(1);
    const logins = await twins.race(TIMES, (client, index) => logIn(client, accounts[index]!));
    expect(countByCode(logins)).toEqual({ 0: 1, 3001: TIMES - 1 });
  });

  rounds('a reset link sets one password', async () => {
    const owner = await registerVerified(app);
    expectOk(await app.client.post('/v1/user/password/reset/mail', { mail: owner.mail, app_id: 'pluto' }));
    const link = await app.mailbox.linkTo(owner.mail, 2);
    const forms = await Promise.all(twins.clients.map((client) => openForm(client, link)));
    const passwords = Array.from({ length: TIMES }, (_, index) => `new password ${index}`);
    const pages = await twins.race(TIMES, (client, index) =>
      sendForm(client, forms[index % 2]!, { password: passwords[index]! }),
    );
    expect(pages.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(pages.filter(({ status }) => status === 404)).toHaveLength(TIMES - 1);
    const winner = pages.findIndex(({ status }) => status === 200);
    const logins = await twins.race(TIMES, (client, index) =>
      logIn(client, { ...owner, password: passwords[index]! }),
    );
    expect(countByCode(logins)).toEqual({ 0: 1, 3001: TIMES - 1 });
    expect(winnerOf(logins)).toBe(winner);
  });

  rounds('refreshes of one token converge on one successor', async () => {
    const { tokens } = await account();
    const answers = await twins.race(TIMES, (client) => refresh(client, tokens));
    expect(countByCode(answers)).toEqual({ 0: TIMES });
    expect(new Set(answers.map(({ body }) => body.refresh_token as string)).size).toBe(1);
    expectOk(await refresh(app.client, answers[0]!.body as Tokens));
  });

  rounds('a stolen refresh token ends the session at both', async () => {
    const { tokens } = await account();
    const next = (await refresh(twins.clients[0]!, tokens)).body as Tokens;
    const latest = (await refresh(twins.clients[1]!, next)).body as Tokens;
    await sleep((GRACE_SECONDS + 1.1) * 1000);
    const [stolen, own] = await twins.race(2, (client, index) => refresh(client, [tokens, latest][index]!));
    expectFailure(stolen!, 403, 3002);
    expect([0, 3002]).toContain(own!.code);
    const dead = [tokens, next, latest, ...(own!.code === 0 ? [own!.body as Tokens] : [])];
    for (const one of dead)
      for (const client of twins.clients) expectFailure(await refresh(client, one), 403, 3002);
    for (const client of twins.clients)
      expectFailure(await client.get('/v1/user/info', { token: latest.access_token }), 403, 3009);
  });

  rounds('a deletion during refreshes leaves no session', async () => {
    const { id, token, tokens } = await account();
    const [deletion, ...refreshes] = await twins.race(TIMES, (client, index) =>
      index === 0 ? client.post('/v1/user/delete', undefined, { token }) : refresh(client, tokens),
    );
    expectOk(deletion!);
    for (const { code } of refreshes) expect([0, 3002]).toContain(code);
    for (const client of twins.clients) expectFailure(await refresh(client, tokens), 403, 3002);
    expect(await app.dataSource.manager.countBy(Session, { userId: id })).toBe(0);
  });

  rounds('an account is deleted once', async () => {
    const { id, token } = await account();
    const answers = await twins.race(TIMES, (client) => as(token).post(client, '/v1/user/delete'));
    for (const { code } of answers) expect([0, 3009]).toContain(code);
    expect(answers.some(({ code }) => code === 0)).toBe(true);
    expect(await app.dataSource.manager.existsBy(User, { id })).toBe(false);
  });

  rounds('a handle goes to one profile', async () => {
    const people = await Promise.all(Array.from({ length: TIMES }, account));
    const user_id = `taken${nextNumber()}`;
    const answers = await twins.race(TIMES, (client, index) =>
      as(people[index]!.token).put(client, '/v1/user/info', { user_id }),
    );
    expect(countByCode(answers)).toEqual({ 0: 1, 2006: TIMES - 1 });
    const { id } = await app.dataSource.manager.findOneByOrFail(User, { handleKey: user_id });
    expect(id).toBe(people[winnerOf(answers)]!.id);
  });

  describe('of an administrator', () => {
    let admin: Caller;
    let desk: TestApplication;
    beforeAll(async () => {
      admin = await firstAdministrator(app);
      desk = await addApplication(app, { name: `org.example.desk${nextNumber()}` });
    });

    it.each([
      ['application', '/v1/rbac/application/create', 4004, Application],
      ['role', '/v1/rbac/role/create', 4006, Role],
      ['scope', '/v1/rbac/scope/create', 4001, Scope],
    ] as const)('the same %s is made once', async (kind, path, exists, entity) => {
      for (let round = 0; round < ROUNDS; round++) {
        const name = `${kind}${nextNumber()}`;
        const answers = await twins.race(TIMES, (client) =>
          as(admin.token).post(client, path, { app_id: desk.id, name }),
        );
        expect(countByCode(answers)).toEqual({ 0: 1, [exists]: TIMES - 1 });
        expect(await app.dataSource.manager.countBy(entity, { nameKey: name })).toBe(1);
      }
    });

    rounds('an OAuth client is registered once', async () => {
      const number = nextNumber();
      const client = {
        key: `client${number}`,
        secret: 'yO9QkXG2sV_0dT7rLwB3-A',
        redirect_uri: 'https://client.example/back',
      };
      const answers = await twins.race(TIMES, (one) => as(admin.token).post(one, '/v1/oauth/client', client));
      expect(countByCode(answers)).toEqual({ 0: 1, 5006: TIMES - 1 });
    });
  });

  describe('the last administrator', () => {
    /** The administrators of a house that has no other ones. */
    async function twoAdministrators() {
      const first = await firstAdministrator(app);
      const { manager } = app.dataSource;
      const { id: appId } = await manager.findOneByOrFail(Application, { name: PLUTO.application });
      const roleOf = async (name: string) =>
        (await manager.findOneByOrFail(Role, { applicationId: appId, name })).id;
      return {
        appId,
        first: Object.assign(first, { id: decodeToken(first.token).claims.sub }),
        second: await addAdministrator(app),
        adminRole: await roleOf(PLUTO.adminRole),
        userRole: await roleOf(PLUTO.userRole),
      };
    }

    it('is the one who stays when two demote each other concurrently', async () => {
      const { appId, first, second, adminRole, userRole } = await twoAdministrators();
      const setRole = (client: Client, by: Caller, user_id: number, role_id: number) =>
        as(by.token).post(client, '/v1/rbac/user/application/role', { user_id, app_id: appId, role_id });
      const isAdministrator = async (one: Caller) =>
        (await one.get(`/v1/rbac/application/i18n-name?app_id=${appId}`)).status === 200;
      for (let round = 0; round < 2 * ROUNDS; round++) {
        const answers = await twins.race(2, (client, index) =>
          index === 0
            ? setRole(client, first, second.id, userRole)
            : setRole(client, second, first.id, userRole),
        );
        expect([
          [0, 1002],
          [0, 4008],
        ]).toContainEqual(answers.map(({ code }) => code).sort());
        const still = [await isAdministrator(first), await isAdministrator(second)];
        expect([...still].sort()).toEqual([false, true]);
        const [winner, loser] = still[0] ? [first, second] : [second, first];
        expectOk(await setRole(app.client, winner, loser.id, adminRole));
      }
      expectOk(await setRole(app.client, first, second.id, userRole));
    });

    it('is the one who stays when two delete themselves concurrently', async () => {
      let last: Caller = await firstAdministrator(app);
      for (let round = 0; round < ROUNDS; round++) {
        const both = [last, await addAdministrator(app)];
        const answers = await twins.race(2, (client, index) =>
          as(both[index]!.token).post(client, '/v1/user/delete'),
        );
        expect(countByCode(answers)).toEqual({ 0: 1, 1002: 1 });
        last = both[1 - winnerOf(answers)]!;
      }
    });
  });

  rounds('a code is exchanged once at most, and its second use ends the session', async () => {
    const owner = await registerVerified(app);
    const browser = await Browser.signIn(app, owner);
    const client = await addClient(app);
    const code = await browser.codeFor(client);
    const answers = await twins.race(TIMES, (one) =>
      askTokens({ ...app, client: one }, client, exchangeOf(client, code)),
    );
    const { 0: good = 0, 5002: refused = 0 } = countByCode(answers);
    expect(good).toBeLessThanOrEqual(1);
    expect(good + refused).toBe(TIMES);
    expect(await app.dataSource.manager.countBy(Session, { clientKey: client.key })).toBe(0);
  });

  rounds('a state of WeChat is spent once', async () => {
    const shop = await addApplication(app, {
      name: `org.example.shop${nextNumber()}`,
      roles: { customer: ['shop.buy'] },
    });
    const path = '/v1/user/login/wechat/web';
    const started = await twins.clients[0]!.get(`${path}?app_id=${shop.name}&redirect_url=`);
    expectOk(started);
    const { state } = started.body as { state: string };
    const answers = await twins.race(TIMES, (client) => {
      const code = wechat.code(wechat.person(), WECHAT_WEB_APP);
      return client.get(`${path}?${new URLSearchParams({ state, code }).toString()}`);
    });
    expect(countByCode(answers)).toEqual({ 0: 1, 1002: TIMES - 1 });
    expect(await app.dataSource.manager.countBy(User, { applicationId: shop.id })).toBe(1);
    expect(await app.dataSource.manager.countBy(ConsumedState, { nonce: state.slice(48, 80) })).toBe(1);
  });

  describe('people with Google', () => {
    const newPerson = () => {
      const number = nextNumber();
      return { sub: `9${String(number).padStart(20, '0')}`, email: `ann${number}@gmail.com` };
    };
    type Person = ReturnType<typeof newPerson>;
    const signIn = async (client: Client, person: Person) =>
      client.post('/v1/user/login/google/mobile', {
        id_token: await google.idToken(person),
        app_id: 'pluto',
      });
    const bind = async (client: Client, token: string, person: Person) =>
      as(token).post(client, '/v1/user/binding', {
        type: 'google',
        id_token: await google.idToken(person),
      });

    rounds('have one account of their first logins', async () => {
      const person = newPerson();
      const answers = await twins.race(TIMES, (client) => signIn(client, person));
      expect(countByCode(answers)).toEqual({ 0: TIMES });
      expect(new Set(answers.map(idIn)).size).toBe(1);
    });

    rounds('are bound to one of two accounts', async () => {
      const person = newPerson();
      const owners = [await account(), await account()];
      const answers = await twins.race(2, (client, index) => bind(client, owners[index]!.token, person));
      expect(countByCode(answers)).toEqual({ 0: 1, 2007: 1 });
      expect(idIn(await signIn(app.client, person))).toBe(owners[winnerOf(answers)]!.id);
    });

    rounds('keep one of their last two ways in', async () => {
      const { token } = await account();
      expectOk(await bind(app.client, token, newPerson()), {});
      const answers = await twins.race(2, (client, index) =>
        as(token).post(client, '/v1/user/unbinding', { type: ['mail', 'google'][index] }),
      );
      expect(countByCode(answers)).toEqual({ 0: 1, 2010: 1 });
      const { body } = await app.client.get('/v1/user/info', { token });
      const left = (body.bindings as { login_type: string }[]).map(({ login_type }) => login_type);
      expect(left).toEqual([winnerOf(answers) === 0 ? 'google' : 'mail']);
    });
  });

  it('rotate to one key for two concurrent commands, and both publish it', async () => {
    const { manager } = app.dataSource;
    const before = await manager.count(SigningKey);
    const place = { env: environmentOf(app), cwd: app.dataDir };
    const outcomes = await Promise.all([0, 1].map(() => runPluto(['keys', 'rotate'], place)));
    expect(outcomes.map(({ code }) => code).sort()).toEqual([0, 1]);
    expect(await manager.count(SigningKey)).toBe(before + 1);
    const published = (client: Client) => client.get('/.well-known/jwks.json');
    await eventually(
      async () => {
        const sets = await Promise.all(twins.clients.map(published));
        return sets.every(({ json }) => (json as { keys: object[] }).keys.length === before + 1);
      },
      'both to publish the new key',
      90_000,
    );
    const [one, other] = await Promise.all(twins.clients.map(published));
    expect(one!.text).toBe(other!.text);
    const { token } = await signedIn(app);
    for (const client of twins.clients) expectOk(await client.get('/v1/user/info', { token }));
  });

  it('send each mail once', async () => {
    const accounts = Array.from({ length: 40 }, () => registration());
    const answers = await twins.race(40, (client, index) => register(client, accounts[index]!));
    expect(countByCode(answers)).toEqual({ 0: 40 });
    await allMailsAreOut();
    for (const { mail } of accounts) expect(twins.smtp.to(mail)).toHaveLength(1);
    // Of all tests before, too.
    // Notices all have the same link: to the page for a forgotten password.
    const links = twins.smtp.mails.map(linkIn).filter((link) => !link.includes('/web/password/forgot'));
    expect(new Set(links).size).toBe(links.length);
    for (const server of twins.servers) expect(server.output).not.toMatch(/"level":"(error|fatal)"/);
  });
});
