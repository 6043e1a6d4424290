import { randomBytes } from 'node:crypto';
import { AuthorizationCode } from '../../src/oauth/authorization-code.entity.js';
import { OAuthClient } from '../../src/oauth/oauth-client.entity.js';
import { PLUTO } from '../../src/applications/pluto-names.js';
import { Session } from '../../src/token/session.entity.js';
import { login, addAccount, signedIn, type TestAccount, type Tokens } from '../support/accounts.js';
import {
  addAdministrator,
  Caller,
  strangers,
  strangersTokens,
  type Stranger,
} from '../support/administration.js';
import { openSession } from '../support/sessions.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { addApplication } from '../support/applications.js';
import { nextNumber, type Answer } from '../support/client.js';
import { countByCode, expectFailure, expectOk } from '../support/expectations.js';
import {
  addClient,
  askTokens,
  Browser,
  exchangeOf,
  getTokens,
  type Fields,
  type TestOAuthClient,
} from '../support/oauth.js';
import { decodeToken } from '../support/tokens.js';
import { addUser } from '../support/users.js';

const CLIENTS = '/v1/oauth/client';
const PARALLEL = 10;
/** 22 characters of base64: 128 random bits. */
const STRONG = 'yO9QkXG2sV_0dT7rLwB3-A';

let app: TestApp;
let admin: Caller;
let ann: Caller;
let annsId: number;
let tokensOfStrangers: Record<Stranger, string | undefined>;
beforeAll(async () => {
  app = await startTestApp();
  admin = await addAdministrator(app);
  annsId = await addUser(app, {});
  ann = new Caller(app.client, (await openSession(app, annsId, PLUTO.application)).accessToken);
  tokensOfStrangers = await strangersTokens(app, admin);
});
afterAll(() => app.close());

function newClient(change: object = {}): { key: string; secret: string; redirect_uri: string } {
  const number = nextNumber();
  return {
    key: `client${number}`,
    secret: randomBytes(16).toString('hex'),
    redirect_uri: 'https://client.example/back',
    ...change,
  };
}

function setStatus(key: string, status: unknown, caller = admin): Promise<Answer> {
  return caller.put(`${CLIENTS}/status`, { key, status });
}

interface ListedClient {
  key: string;
  user_id: number;
  app_ids: string[];
}

async function listed(caller: Caller): Promise<ListedClient[]> {
  const answer = await caller.get(CLIENTS);
  expectOk(answer);
  return answer.body.clients as ListedClient[];
}

/** Everything that the database holds, as text. */
async function databaseText(): Promise<string> {
  const { entityMetadatas, manager } = app.dataSource;
  const rows = await Promise.all(entityMetadatas.map(({ target }) => manager.find(target)));
  return JSON.stringify(rows);
}

/** A user of `pluto` whose role has no scope. */
async function userWithoutScope(): Promise<Caller> {
  const { body: list } = await admin.get('/v1/rbac/application/list');
  const { id: app_id } = (list as { id: number; name: string }[]).find(({ name }) => name === 'pluto')!;
  const { body: role } = await admin.post('/v1/rbac/role/create', { app_id, name: `r${nextNumber()}` });
  const user_id = await addUser(app, {});
  expectOk(await admin.post('/v1/rbac/user/application/role', { user_id, app_id, role_id: role.id }));
  return new Caller(app.client, (await openSession(app, user_id, PLUTO.application)).accessToken);
}

describe('POST /v1/oauth/client', () => {
  it('registers a client that waits for approval', async () => {
    const client = newClient();
    expectOk(await ann.post(CLIENTS, client), {
      key: client.key,
      status: 'pend',
      redirect_uri: client.redirect_uri,
      origin_secret: client.secret,
    });
    const fields = { grant_type: 'client_credentials', app_id: 'pluto' };
    expectFailure(await askTokens(app, { ...client, redirectUri: '' }, fields), 403, 5008);
  });

  it('refuses a taken key with 5006, whoever has it', async () => {
    const client = newClient();
    expectOk(await ann.post(CLIENTS, client));
    expectFailure(await ann.post(CLIENTS, client), 401, 5006);
    expectFailure(await admin.post(CLIENTS, newClient({ key: client.key })), 401, 5006);
    expect((await listed(ann)).filter(({ key }) => key === client.key)).toHaveLength(1);
  });

  it(`gives a key to one of ${PARALLEL} concurrent registrations`, async () => {
    const client = newClient();
    const answers = await Promise.all(Array.from({ length: PARALLEL }, () => ann.post(CLIENTS, client)));
    expect(countByCode(answers)).toEqual({ 0: 1, 5006: PARALLEL - 1 });
  });

  it('distinguishes keys by case', async () => {
    const client = newClient();
    expectOk(await ann.post(CLIENTS, client));
    expectOk(await ann.post(CLIENTS, newClient({ key: client.key.toUpperCase() })));
    const stranger = { key: client.key.toUpperCase(), secret: client.secret, redirectUri: '' };
    expectFailure(await askTokens(app, stranger, {}), 401, 5005);
  });

  it.each([
    'https://client.example',
    'https://client.example:8443/back/here?next=a%20b&mail=a@b',
    'https://client.example?who=a@b',
    'http://localhost:1234/x',
    'http://127.0.0.1',
    'http://[::1]:1',
    'org.example.desk:/back',
    'org.example.desk://back',
    `https://client.example/${'p'.repeat(2048 - 23)}`,
  ])('accepts the redirect URI %s', async (redirect_uri) => {
    const answer = await ann.post(CLIENTS, newClient({ redirect_uri }));
    expectOk(answer, expect.objectContaining({ redirect_uri }));
  });

  it.each([
    'http://client.example/back',
    'http://127.0.0.1.evil.com',
    'http://localhost.evil.com/',
    'http://127.0.0.2/',
    'http://localhost@evil.com/',
    'https://client.example/back#',
    'https://client.example/back#here',
    'https://ann@client.example/',
    'https://ann:word@client.example/',
    'https://@x',
    'https://:@x',
    'org.example.desk://ann@back',
    'https://*.client.example/',
    'https://client.example/*',
    '/back',
    'client.example/back',
    '//client.example/back',
    'desk:/back',
    'javascript:alert(1)',
    'data:text/html,x',
    'file:///etc/passwd',
    'https:\\\\client.example',
    'https://client.example\\@evil.example',
    ' https://client.example',
    'https://client.example/a b',
    'https://client.example/\n',
    'https://clïent.example/',
    'https://client.example/ü',
    'https:e',
    'https:/client.example',
    'https:///client.example',
    'https://client.example:99999',
    `https://client.example/${'p'.repeat(2049 - 23)}`,
    '',
    undefined,
    null,
    1,
    ['https://client.example'],
  ])('refuses the redirect URI %j with 1001', async (redirect_uri) => {
    const answer = await ann.post(CLIENTS, newClient({ redirect_uri }));
    expectFailure(answer, 400, 1001, expect.stringMatching(/^Bad Request: redirect_uri must be/));
  });

  it.each([
    ['key', 'k'],
    ['key', 'https://client.example/:id'],
    ['key', 'k'.repeat(255)],
    ['secret', 'f81d4fae7dec11d0a76500a0c91e6bf6'],
    ['secret', 'yO9QkXG2sV_0dT7rLwB3-A'],
    ['secret', '9r!Z$k{U2~v:Q@e7J#wP'],
    ['secret', randomBytes(192).toString('base64url').slice(0, 255)],
  ])('accepts the %s %j', async (field, value) => {
    expectOk(await ann.post(CLIENTS, newClient({ [field]: value })));
  });

  it.each([
    ...['', 'k'.repeat(256), 'a key', 'kéy', 'key\n', undefined, null, 1].map((key) => ['key', key]),
    ...[
      '',
      '123456',
      's'.repeat(256),
      's'.repeat(255),
      `${STRONG} `,
      `${STRONG}é`,
      `${STRONG}\0`,
      123456,
    ].map((secret) => ['secret', secret]),
    ...[
      'a-long-secret-of-the-client',
      'correct-horse-battery-staple',
      'changemechangemechangemechangeme',
      'abcdefghijklmnopqrstuvwxyz0123456789',
      '0123456789abcdef0123456789abcdef',
      'qwertyuiopasdfghjklzxcvbnm1234567890',
      STRONG.slice(0, 19),
      'f81d4fae7dec11d0a76500a0c91e6bf',
      'f81d4fae-7dec-41d0-a765-00a0c91e6bf6',
    ].map((secret) => ['secret', secret]),
  ] as [string, unknown][])('refuses the %s %j with 1001', async (field, value) => {
    const answer = await ann.post(CLIENTS, newClient({ [field]: value }));
    expectFailure(answer, 400, 1001, expect.stringMatching(`^Bad Request: ${field} must be`));
  });

  it.each([[undefined], [null]])('makes a secret for %s', async (secret) => {
    const client = newClient({ secret });
    const answer = await ann.post(CLIENTS, client);
    expectOk(answer);
    const { origin_secret: made } = answer.body as { origin_secret: string };
    expect(made).toMatch(/^[\w-]{43}$/);
    expectOk(await setStatus(client.key, 'approved'));
    const grant = { grant_type: 'client_credentials', app_id: 'pluto' };
    await getTokens(app, { ...client, secret: made, redirectUri: '' }, grant);
  });

  it('leaves weak secrets that were set before as they are', async () => {
    const client = await addClient(app, { secret: '123456' });
    await getTokens(app, client, { grant_type: 'client_credentials', app_id: 'pluto' });
  });

  it('never stores the secret in clear', async () => {
    const client = newClient();
    expectOk(await ann.post(CLIENTS, client));
    expectOk(await setStatus(client.key, 'approved'));
    const grant = { grant_type: 'client_credentials', app_id: 'pluto' };
    await getTokens(app, { ...client, redirectUri: '' }, grant);
    expectOk(await askTokens(app, null, { ...grant, client_id: client.key, client_secret: client.secret }));
    expect(await databaseText()).toContain(client.key);
    expect(await databaseText()).not.toContain(client.secret);
    expect(app.log()).not.toContain(client.secret);
  });
});

describe('GET /v1/oauth/client', () => {
  it("lists the user's own clients, oldest first, and never a secret", async () => {
    const bob = await signedIn(app);
    const caller = new Caller(app.client, bob.token);
    const clients = [newClient(), newClient()];
    for (const client of clients) expectOk(await caller.post(CLIENTS, client));
    await setStatus(clients[1]!.key, 'approved');
    const user_id = decodeToken(bob.token).claims.sub;
    expectOk(await caller.get(CLIENTS), {
      clients: clients.map(({ key, redirect_uri }, index) => ({
        key,
        status: index === 1 ? 'approved' : 'pend',
        redirect_uri,
        user_id,
        app_ids: ['pluto'],
      })),
    });
  });

  it('lists all for an administrator, and never a secret', async () => {
    const [annsClient, own] = [newClient(), newClient()];
    expectOk(await ann.post(CLIENTS, annsClient));
    expectOk(await admin.post(CLIENTS, own));
    const answer = await admin.get(CLIENTS);
    expect(answer.body.clients).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ key: annsClient.key, user_id: annsId }),
        expect.objectContaining({ key: own.key }),
      ]),
    );
    for (const client of answer.body.clients as object[])
      expect(Object.keys(client).sort()).toEqual(['app_ids', 'key', 'redirect_uri', 'status', 'user_id']);
    expect(answer.text).not.toContain(annsClient.secret);
  });

  it("lists only own clients for an administrator's token without the scope", async () => {
    const { id } = await addAdministrator(app);
    const { refreshToken: refresh_token } = await openSession(app, id, PLUTO.application);
    const body = { refresh_token, app_id: 'pluto', scopes: 'pluto.user' };
    const { body: tokens } = await app.client.post('/v1/token/refresh', body);
    expectOk(await ann.post(CLIENTS, newClient()));
    expect(await listed(new Caller(app.client, tokens.access_token as string))).toEqual([]);
  });

  it('keeps a client whose account is deleted, without owner', async () => {
    const bob = await signedIn(app);
    const client = newClient();
    expectOk(await app.client.post(CLIENTS, client, { token: bob.token }));
    expectOk(await setStatus(client.key, 'approved'));
    expectOk(await app.client.post('/v1/user/delete', undefined, { token: bob.token }));
    expect(await listed(admin)).toContainEqual(expect.objectContaining({ key: client.key, user_id: 0 }));
    const grant = { grant_type: 'client_credentials', app_id: 'pluto' };
    await getTokens(app, { ...client, redirectUri: '' }, grant);
  });
});

describe.each(['GET', 'POST'])('%s /v1/oauth/client', (method) => {
  it('refuses a user of another application with 3009', async () => {
    const elsewhere = new Caller(app.client, tokensOfStrangers.elsewhere!);
    const body = method === 'POST' ? newClient() : undefined;
    expectFailure(await elsewhere.request(method, CLIENTS, { body }), 403, 3009);
  });

  it('refuses a user whose role has no scope with 4010', async () => {
    const body = method === 'POST' ? newClient() : undefined;
    expectFailure(await (await userWithoutScope()).request(method, CLIENTS, { body }), 403, 4010);
  });
});

describe('PUT /v1/oauth/client/application', () => {
  const APPLICATION = `${CLIENTS}/application`;
  const grantFor = (client: TestOAuthClient, app_id: string) =>
    askTokens(app, client, { grant_type: 'client_credentials', app_id });
  let shop: string;
  let bank: string;
  let client: TestOAuthClient;
  beforeAll(async () => {
    [shop, bank] = [`org.example.shop${nextNumber()}`, `org.example.bank${nextNumber()}`];
    for (const name of [shop, bank]) await addApplication(app, { name });
  });
  beforeEach(async () => (client = await addClient(app)));

  it('lets a client get tokens of its own for these applications only', async () => {
    expectOk(await grantFor(client, 'pluto'));
    expectFailure(await grantFor(client, shop), 403, 3010);
    const answer = await admin.put(APPLICATION, {
      key: client.key,
      app_ids: [bank, shop.toUpperCase(), shop],
    });
    expectOk(answer, { key: client.key, app_ids: [shop, bank] });
    expectOk(await grantFor(client, shop));
    expectOk(await grantFor(client, bank));
    expectFailure(await grantFor(client, 'pluto'), 403, 3010);
    const clients = await listed(admin);
    expect(clients).toContainEqual(expect.objectContaining({ key: client.key, app_ids: [shop, bank] }));
    expectOk(await admin.put(APPLICATION, { key: client.key, app_ids: [] }));
    for (const name of ['pluto', shop, bank]) expectFailure(await grantFor(client, name), 403, 3010);
  });

  it('keeps what users grant in any application', async () => {
    const account = await addAccount(app, { app_id: shop });
    const browser = await Browser.signIn(app, account);
    await browser.tokensFor(app, client);
    const { mail: user, password, app_id } = account;
    await getTokens(app, client, { grant_type: 'password', user, password, app_id });
    expectFailure(await grantFor(client, shop), 403, 3010);
  });

  it.each([
    ['an unknown client', 401, 5005, () => ({ key: 'nobody', app_ids: ['pluto'] })],
    [
      'an unknown application',
      403,
      4005,
      () => ({ key: client.key, app_ids: ['pluto', 'org.example.none'] }),
    ],
    ['a key in other case', 401, 5005, () => ({ key: client.key.toUpperCase(), app_ids: ['pluto'] })],
    ['no list', 400, 1001, () => ({ key: client.key })],
    ['ids', 400, 1001, () => ({ key: client.key, app_ids: [1] })],
    ['too long a list', 400, 1001, () => ({ key: client.key, app_ids: Array(101).fill('pluto') })],
  ])('refuses %s and changes nothing', async (_what, status, code, body) => {
    expectFailure(await admin.put(APPLICATION, body()), status, code);
    expectOk(await grantFor(client, 'pluto'));
  });

  it('is for administrators: 4008', async () => {
    const owner = await ann.put(APPLICATION, { key: client.key, app_ids: [shop] });
    expectFailure(owner, 403, 4008);
    expectFailure(await grantFor(client, shop), 403, 3010);
  });

  it(`leaves the list of one of ${PARALLEL} concurrent requests as a whole`, async () => {
    const lists = [[shop, bank], ['pluto']];
    const answers = await Promise.all(
      Array.from({ length: PARALLEL }, (_, at) =>
        admin.put(APPLICATION, { key: client.key, app_ids: lists[at % 2] }),
      ),
    );
    expect(countByCode(answers)).toEqual({ 0: PARALLEL });
    const { app_ids } = (await listed(admin)).find(({ key }) => key === client.key)!;
    expect(lists).toContainEqual(app_ids);
  });
});

describe('PUT /v1/oauth/client/status', () => {
  it.each(['approved', 'denied'])('sets %s', async (status) => {
    const client = newClient();
    expectOk(await ann.post(CLIENTS, client));
    expectOk(await setStatus(client.key, status), { key: client.key, status });
    expectOk(await setStatus(client.key, status), { key: client.key, status });
    expect(await listed(ann)).toContainEqual(expect.objectContaining({ key: client.key, status }));
  });

  it.each(['pend', 'APPROVED', 'toString', '', null, undefined, 1, ['approved'], {}])(
    'refuses the status %j with 5007',
    async (status) => {
      const { key } = await addClient(app);
      expectFailure(await setStatus(key, status), 401, 5007);
      expect((await app.dataSource.manager.findOneByOrFail(OAuthClient, { key })).status).toBe('approved');
    },
  );

  it('refuses an unknown key with 5005', async () => {
    expectFailure(await setStatus('nobody', 'approved'), 401, 5005);
    expectFailure(await setStatus('nobody', 'denied'), 401, 5005);
    const { key } = await addClient(app);
    expectFailure(await setStatus(key.toUpperCase(), 'approved'), 401, 5005);
  });

  it.each(strangers)('refuses %s with %i, %i', async (stranger, status, code) => {
    const { key } = await addClient(app, { status: 'pend' });
    const token = tokensOfStrangers[stranger];
    const body = { key, status: 'approved' };
    expectFailure(
      await app.client.put(`${CLIENTS}/status`, body, token === undefined ? {} : { token }),
      status,
      code,
    );
    expect((await app.dataSource.manager.findOneByOrFail(OAuthClient, { key })).status).toBe('pend');
  });
});

describe('denying a client', () => {
  let account: TestAccount;
  let browser: Browser;
  let client: TestOAuthClient;
  beforeAll(async () => {
    account = await addAccount(app);
    browser = await Browser.signIn(app, account);
  });
  beforeEach(async () => {
    client = await addClient(app);
  });

  const info = (token: string) => app.client.get('/v1/user/info', { token });
  const verify = (token: string) => app.client.get(`/v1/token/access/verify?token=${token}`);
  const refreshOf = ({ refresh_token }: Tokens): Fields => ({
    grant_type: 'refresh_token',
    refresh_token,
    app_id: 'pluto',
  });
  const passwordOf = ({ mail, password }: TestAccount): Fields => ({
    grant_type: 'password',
    user: mail,
    password,
    app_id: 'pluto',
  });

  it('ends its sessions and codes immediately and permanently', async () => {
    const tokens = await browser.tokensFor(app, client);
    const [code, later] = [await browser.codeFor(client), await browser.codeFor(client)];
    expectOk(await info(tokens.access_token));
    expectOk(await setStatus(client.key, 'denied'));
    expectFailure(await info(tokens.access_token), 403, 3009);
    expectFailure(await verify(tokens.access_token), 403, 3009);
    expectFailure(await askTokens(app, client, refreshOf(tokens)), 403, 5008);
    expectFailure(await askTokens(app, client, exchangeOf(client, code)), 403, 5008);

    expectOk(await setStatus(client.key, 'approved'));
    expectFailure(await info(tokens.access_token), 403, 3009);
    expectFailure(await askTokens(app, client, refreshOf(tokens)), 403, 3002);
    expectFailure(await askTokens(app, client, exchangeOf(client, later)), 403, 5002);
    expectOk(await info((await browser.tokensFor(app, client)).access_token));
  });

  it('keeps first-party sessions of the user, and those of other clients', async () => {
    const firstParty = await login(app, account);
    const other = await addClient(app);
    const [others, code] = [await browser.tokensFor(app, other), await browser.codeFor(other)];
    await browser.tokensFor(app, client);
    expectOk(await setStatus(client.key, 'denied'));
    expectOk(await info(firstParty.access_token));
    expectOk(await app.client.post('/v1/token/refresh', refreshOf(firstParty)));
    expectOk(await info(others.access_token));
    await getTokens(app, other, refreshOf(others));
    await getTokens(app, other, exchangeOf(other, code));
  });

  it("invalidates the client's own tokens", async () => {
    const grant = { grant_type: 'client_credentials', app_id: 'pluto' };
    const { access_token } = await getTokens(app, client, grant);
    expectOk(await verify(access_token));
    expectOk(await setStatus(client.key, 'denied'));
    expectFailure(await verify(access_token), 403, 3009);
    expectFailure(await askTokens(app, client, grant), 403, 5008);
  });

  it.each([
    ['code exchanges', 5002, async () => exchangeOf(client, await browser.codeFor(client))],
    ['refreshes', 3002, async () => refreshOf(await browser.tokensFor(app, client))],
    ['password grants', 5008, () => passwordOf(account)],
  ])(`while ${PARALLEL} %s run leaves no valid token`, async (_what, code, fieldsOfOne) => {
    const requests: Fields[] = [];
    while (requests.length < PARALLEL) requests.push(await fieldsOfOne());
    const asked = requests.map((fields) => askTokens(app, client, fields));
    // The others are in progress.
    expectOk(await Promise.race(asked));
    expectOk(await setStatus(client.key, 'denied'));
    const answers = await Promise.all(asked);
    for (const answer of answers) expect([0, code, 5008]).toContain(answer.code);

    expectOk(await setStatus(client.key, 'approved'));
    const { manager } = app.dataSource;
    expect(await manager.countBy(Session, { clientKey: client.key })).toBe(0);
    const { id: clientId } = await manager.findOneByOrFail(OAuthClient, { key: client.key });
    expect(await manager.countBy(AuthorizationCode, { clientId })).toBe(0);
    for (const { body } of answers.filter((answer) => answer.code === 0)) {
      const tokens = body as Tokens;
      expectFailure(await info(tokens.access_token), 403, 3009);
      expectFailure(await askTokens(app, client, refreshOf(tokens)), 403, 3002);
    }
  });
});
