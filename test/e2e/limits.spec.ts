import { KnownDevice } from '../../src/auth/devices/known-device.entity.js';
import { User } from '../../src/users/user.entity.js';
import { addAccount, registration, signedIn, type TestAccount } from '../support/accounts.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { nextNumber, type Answer } from '../support/client.js';
import { freezeClock, passSeconds, thawClock } from '../support/clock.js';
import { countByCode, expectFailure, expectOk, expectPage } from '../support/expectations.js';
import { openForm, sendForm } from '../support/forms.js';
import { openSession } from '../support/sessions.js';
import { addClient, askTokens, basic, FORM } from '../support/oauth.js';
import { addUser } from '../support/users.js';

const QUARTER_SECONDS = 15 * 60;
const DEVICE = 'b1946ac9-2c5e-4f0a-9d3e-1f2a3b4c5d6e';

let app: TestApp;
afterEach(() => thawClock());

const limited = (env: Record<string, string> = {}) =>
  startTestApp({ env: { RATE_LIMIT: 'true', TRUST_PROXY: '127.0.0.1', ...env } });

/** An address that no other test uses. */
function newAddress(): string {
  const number = nextNumber();
  return `198.51.${Math.floor(number / 250)}.${(number % 250) + 1}`;
}

const from = (address: string) => ({ headers: { 'x-forwarded-for': address } });

function login(
  { mail, password, app_id }: Pick<TestAccount, 'mail' | 'password' | 'app_id'>,
  { address = newAddress(), device_id = '' } = {},
): Promise<Answer> {
  const body = { account: mail, password, app_id, device_id };
  return app.client.post('/v1/user/login/account', body, from(address));
}

const guess = (account: TestAccount, place = {}) => login({ ...account, password: 'a wrong guess' }, place);

async function guesses(account: TestAccount, count: number, place = {}): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (let done = 0; done < count; done++) answers.push(await guess(account, place));
  return answers;
}

function expectLimited(answer: Answer, withinSeconds: number): void {
  expectFailure(answer, 429, 1006);
  const seconds = Number(answer.headers.get('retry-after'));
  expect(seconds).toBeGreaterThan(0);
  expect(seconds).toBeLessThanOrEqual(withinSeconds);
}

describe('guessing a password', () => {
  beforeAll(async () => (app = await limited()));
  afterAll(() => app.close());

  it('is limited to ten wrong ones from all unknown devices in a quarter of an hour', async () => {
    freezeClock();
    const account = await addAccount(app);
    expect(countByCode(await guesses(account, 10))).toEqual({ 3001: 10 });
    expectLimited(await guess(account), QUARTER_SECONDS);
    expectLimited(await login(account), QUARTER_SECONDS);
    expectOk(await login(await addAccount(app)));
    passSeconds(QUARTER_SECONDS + 1);
    expectOk(await login(account));
  });

  it('does not lock the owner out on known devices: device, address, browser', async () => {
    const account = await addAccount(app);
    const home = newAddress();
    expectOk(await login(account, { address: home }));
    expectOk(await login(account, { device_id: DEVICE }));
    const browser = await openForm(app.client, '/web/login');
    const signedIn = await sendForm(app.client, browser, {
      account: account.mail,
      password: account.password,
    });
    const cookie = signedIn.headers
      .getSetCookie()
      .find((text) => text.startsWith('pluto_device='))!
      .split(';', 1)[0]!;

    await guesses(account, 11);
    expectLimited(await login(account), QUARTER_SECONDS);
    expectLimited(await login(account, { device_id: `${DEVICE}0` }), QUARTER_SECONDS);
    expectOk(await login(account, { device_id: DEVICE }));
    expectOk(await login(account, { address: home }));
    const stranger = await sendFrom(await openForm(app.client, '/web/login'), account);
    expectPage(stranger, 429, 'Too many attempts');
    const known = await openForm(app.client, '/web/login');
    const again = await sendFrom({ ...known, cookie: `${known.cookie}; ${cookie}` }, account);
    expect([again.status, again.headers.get('location')]).toEqual([
      302,
      expect.stringContaining('/web/login'),
    ]);
  });

  it('does not recognise a device by a short id, which others could guess', async () => {
    const account = await addAccount(app);
    expectOk(await login(account, { device_id: 'iPhone15,2' }));
    await guesses(account, 11);
    expectLimited(await login(account, { device_id: 'iPhone15,2' }), QUARTER_SECONDS);
  });

  it('is limited separately on a known device', async () => {
    const account = await addAccount(app);
    const other = `${DEVICE}-other`;
    expectOk(await login(account, { device_id: DEVICE }));
    expectOk(await login(account, { device_id: other }));
    expect(countByCode(await guesses(account, 11, { device_id: DEVICE }))).toEqual({ 3001: 10, 1006: 1 });
    expectLimited(await login(account, { device_id: DEVICE }), QUARTER_SECONDS);
    expectOk(await login(account, { device_id: other }));
    expectOk(await login(account));
  });

  it('counts concurrent guesses', async () => {
    const account = await addAccount(app);
    const answers = await Promise.all(Array.from({ length: 25 }, () => guess(account)));
    expect(countByCode(answers)).toEqual({ 3001: 10, 1006: 15 });
  });

  it('counts all spellings of an account together, by mail or user id', async () => {
    const account = await addAccount(app);
    const { mail, user_id: handle } = account;
    const spellings = [mail, ` ${mail}`, `${mail}  `, mail.toUpperCase(), `\u3000${mail}`];
    const handles = [handle, ` ${handle}`, `${handle} `, handle.toUpperCase(), `${handle}\u00a0`];
    for (const spelling of [...spellings, ...handles])
      expectFailure(await guess({ ...account, mail: spelling }), 403, 3001);
    // By mail five were typed and five by user id: neither is used up, but the account is.
    for (const spelling of [mail, `${mail} `, handle, ` ${handle}`])
      expectFailure(await login({ ...account, mail: spelling }), 403, 3001);
    const nobody = registration();
    for (let blanks = 0; blanks < 10; blanks++)
      expectFailure(await guess({ ...nobody, mail: nobody.mail + ' '.repeat(blanks) }), 403, 3001);
    expectLimited(await guess({ ...nobody, mail: `${nobody.mail}${' '.repeat(10)}` }), QUARTER_SECONDS);
  });

  it('does not count concurrent right passwords', async () => {
    const account = await addAccount(app);
    const address = newAddress();
    await Promise.all(Array.from({ length: 30 }, () => login(account, { address })));
    expectOk(await login(account, { address }));
    expectOk(await login(account));
  });

  it('also counts for an address that the account shares with others', async () => {
    const office = newAddress();
    const colleagues = [];
    for (let count = 0; count < 7; count++) {
      const colleague = await addAccount(app);
      expectOk(await login(colleague, { address: office }));
      colleagues.push(colleague);
    }
    const codes = [];
    for (const colleague of colleagues)
      for (let tries = 0; tries < 9; tries++) codes.push((await guess(colleague, { address: office })).code);
    expect(codes).toEqual([...Array<number>(60).fill(3001), ...Array<number>(3).fill(1006)]);
  });

  it('is counted again for every device except that of the password reset', async () => {
    const account = await addAccount(app);
    const { mail, app_id } = account;
    expectOk(await login(account, { device_id: DEVICE }));
    expectOk(await app.client.post('/v1/user/password/reset/mail', { mail, app_id }));
    const link = await app.mailbox.linkTo(mail);
    const password = 'fresh horse battery';
    const home = newAddress();
    expectPage(await app.client.submit(link, { password }, from(home).headers), 200, 'Password changed');
    await guesses(account, 11);
    expectLimited(await login({ ...account, password }, { device_id: DEVICE }), QUARTER_SECONDS);
    expectOk(await login({ ...account, password }, { address: home }));
  });

  it('is limited equally for unknown accounts', async () => {
    const nobody = registration();
    expect(countByCode(await guesses(nobody, 11))).toEqual({ 3001: 10, 1006: 1 });
    expect(countByCode(await guesses({ ...nobody, mail: nobody.mail.toUpperCase() }, 1))).toEqual({
      1006: 1,
    });
  });

  it('does not count right passwords, even of unconfirmed accounts', async () => {
    const account = await addAccount(app);
    const unconfirmed = registration();
    expectOk(await app.client.post('/v1/user/register', unconfirmed));
    for (let done = 0; done < 12; done++) {
      expectOk(await login(account));
      expectFailure(await login(unconfirmed), 403, 2003);
    }
  });

  it('is also limited through the password grant and the JSON answer of the login page', async () => {
    const account = await addAccount(app);
    const client = await addClient(app);
    for (let done = 0; done < 10; done++) expectFailure(await pageGuess(account), 403, 3001);
    expectLimited(await pageGuess(account), QUARTER_SECONDS);
    expectLimited(await login(account), QUARTER_SECONDS);

    const other = await addAccount(app);
    const otherGrant = (password: string) =>
      askTokens(app, client, { grant_type: 'password', user: other.mail, password, app_id: 'pluto' });
    for (let done = 0; done < 10; done++) expectFailure(await otherGrant('a wrong guess'), 403, 3001);
    expectLimited(await otherGrant(other.password), QUARTER_SECONDS);
  });

  it('remembers twenty devices of an account and forgets them with it', async () => {
    const account = await addAccount(app);
    const address = newAddress();
    for (let number = 0; number < 22; number++)
      expectOk(await login(account, { address, device_id: `${DEVICE}-${number}` }));
    const { manager } = app.dataSource;
    const { id: userId } = await manager.findOneByOrFail(User, { handle: account.user_id });
    expect(await manager.countBy(KnownDevice, { userId })).toBe(20);
    const { body } = await login(account, { address });
    expectOk(await app.client.post('/v1/user/delete', {}, { token: body.access_token as string }));
    expect(await manager.countBy(KnownDevice, { userId })).toBe(0);
  });

  it('stores neither device ids nor addresses in clear', async () => {
    const account = await addAccount(app);
    expectOk(await login(account, { address: '198.51.100.77', device_id: DEVICE }));
    const rows = JSON.stringify(await app.dataSource.manager.find(KnownDevice));
    expect(rows).not.toContain(DEVICE);
    expect(rows).not.toContain('198.51');
  });

  function sendFrom(form: Awaited<ReturnType<typeof openForm>>, account: TestAccount): Promise<Answer> {
    const { path, cookie, fields } = form;
    const body = new URLSearchParams({ ...fields, account: account.mail, password: account.password });
    return app.client.request('POST', path, {
      headers: { accept: 'text/html', 'content-type': FORM, cookie, ...from(newAddress()).headers },
      body: body.toString(),
    });
  }

  function pageGuess(account: TestAccount): Promise<Answer> {
    const body = new URLSearchParams({ account: account.mail, password: 'a wrong guess', app_id: 'pluto' });
    return app.client.request('POST', '/web/login', {
      headers: { accept: 'application/json', 'content-type': FORM, ...from(newAddress()).headers },
      body: body.toString(),
    });
  }
});

describe('mails to one address', () => {
  beforeAll(async () => (app = await limited()));
  afterAll(() => app.close());

  it('that confirm it are limited to five an hour, also for unknown addresses', async () => {
    const account = registration();
    const { mail, app_id } = account;
    const ask = (change = {}) =>
      app.client.post('/v1/user/register/verify/mail', { mail, app_id, ...change });
    expectOk(await app.client.post('/v1/user/register', account));
    expectOk(await app.client.post('/v1/user/register', { ...account, user_id: `${account.user_id}-2` }));
    expectOk(await ask({ mail: mail.toUpperCase() }));
    expectOk(await ask());
    expectOk(await ask());
    expectLimited(await ask(), 3600);
    expectLimited(await app.client.post('/v1/user/register', account), 3600);
    // Another kind of mail is counted separately.
    expectOk(await app.client.post('/v1/user/password/reset/mail', { mail, app_id }));

    const nobody = registration().mail;
    for (let done = 0; done < 5; done++) expectOk(await ask({ mail: nobody }), {});
    expectLimited(await ask({ mail: nobody }), 3600);
  });

  it('that reset a password are limited to five an hour, also through the page and for unknown addresses', async () => {
    const { mail, app_id } = await addAccount(app);
    const ask = (change = {}) => app.client.post('/v1/user/password/reset/mail', { mail, app_id, ...change });
    for (let done = 0; done < 4; done++) expectOk(await ask());
    expectPage(await askOnPage(mail), 200, mail);
    expectLimited(await ask(), 3600);
    expectPage(await askOnPage(mail), 429, 'Too many attempts');

    const nobody = registration().mail;
    for (let done = 0; done < 5; done++) expectOk(await ask({ mail: nobody }), {});
    expectLimited(await ask({ mail: nobody }), 3600);
    // The address can still be registered.
    expectOk(await app.client.post('/v1/user/register', registration({ mail: nobody })));
  });

  it('are not counted if none is sent: a confirmed mail, a taken user id', async () => {
    const { mail, app_id, user_id } = await addAccount(app);
    for (let done = 0; done < 6; done++) {
      const asked = await app.client.post('/v1/user/register/verify/mail', { mail, app_id });
      expectFailure(asked, 400, 2004);
      expectFailure(await app.client.post('/v1/user/register', registration({ mail })), 403, 2001);
    }
    const late = registration({ user_id });
    for (let done = 0; done < 6; done++)
      expectFailure(await app.client.post('/v1/user/register', late), 403, 2006);
    expectOk(await app.client.post('/v1/user/register', { ...late, user_id: `${user_id}-late` }));
  });

  it('requested by handle are limited by the handle, known or not', async () => {
    const account = registration();
    const { app_id } = account;
    expectOk(await app.client.post('/v1/user/register', account));
    for (const user_id of [account.user_id, registration().user_id]) {
      const ask = () => app.client.post('/v1/user/register/verify/mail', { user_id, app_id });
      for (let done = 0; done < 5; done++) expectOk(await ask(), {});
      expectLimited(await ask(), 3600);
    }
    // What was asked for by handle does not show at the mail.
    expectOk(await app.client.post('/v1/user/register/verify/mail', { mail: account.mail, app_id }), {});
  });

  it('are counted when they are bound to accounts', async () => {
    const mail = registration().mail;
    const codes: number[] = [];
    for (let done = 0; done < 6; done++) {
      const id = await addUser(app, { identities: [{ loginType: 'google', mail: '' }] });
      const { accessToken: token } = await openSession(app, id, 'pluto');
      codes.push((await app.client.post('/v1/user/binding', { type: 'mail', mail }, { token })).code);
    }
    expect(codes).toEqual([0, 0, 0, 0, 0, 1006]);
  });

  const askOnPage = async (mail: string) =>
    sendForm(app.client, await openForm(app.client, '/web/password/forgot'), { mail });
});

describe('requests from one address', () => {
  const tight = Object.entries({
    'login-address': 3,
    'login-failures': 2,
    'provider-address': 2,
    'register-address': 4,
    'mail-address': 2,
    'link-address': 5,
    'refresh-address': 3,
    'refresh-session': 2,
    'client-address': 4,
    'client-register': 2,
    'client-failures': 2,
    'client-guesses': 3,
    'avatar-account': 2,
  });
  beforeAll(async () => {
    app = await limited({ RATE_LIMITS: tight.map(([name, tries]) => `${name}=${tries}/60`).join(', ') });
  });
  afterAll(() => app.close());

  async function tries(count: number, request: (number: number) => Promise<Answer>): Promise<number[]> {
    const codes: number[] = [];
    for (let number = 0; number < count; number++) codes.push((await request(number)).code);
    return codes;
  }

  it.each([
    ['/v1/user/login/account', { account: 'nobody', password: 'a password', app_id: 'none' }, 4005, 3],
    ['/v1/user/login/google/mobile', { id_token: 'x', app_id: 'none' }, 4005, 2],
    ['/v1/user/login/apple/mobile', { code: 'x', app_id: 'none' }, 4005, 2],
    ['/v1/user/login/wechat/mobile', { code: 'x', app_id: 'none' }, 4005, 2],
    ['/v1/user/register', registration({ app_id: 'none' }), 4005, 4],
    ['/v1/user/register/verify/mail', { mail: 'a@b.example', app_id: 'none' }, 4005, 2],
    ['/v1/user/password/reset/mail', { mail: 'a@b.example', app_id: 'none' }, 4005, 2],
    ['/v1/token/refresh', { refresh_token: 'x', app_id: 'none' }, 4005, 3],
    ['/v1/oauth/tokens', { grant_type: 'password' }, 5005, 4],
  ])('are limited at %s', async (path, body, code, count) => {
    const address = newAddress();
    const codes = await tries(count + 1, () => app.client.post(path, body, from(address)));
    expect(codes).toEqual([...Array<number>(count).fill(code), 1006]);
    expect((await app.client.post(path, body, from(newAddress()))).code).toBe(code);
  });

  it.each([
    ['/web/mail/verify/unknown', 5],
    ['/web/password/reset/unknown', 5],
    ['/web/password/forgot', 2],
    ['/web/login', 3],
  ])('are limited for the form of %s', async (path, count) => {
    const { headers } = from(newAddress());
    const send = () =>
      app.client.request('POST', path, {
        headers: { ...headers, 'content-type': FORM, accept: 'text/html' },
        body: 'x=y',
      });
    for (let done = 0; done < count; done++) expect((await send()).status).not.toBe(429);
    const refused = await send();
    expectPage(refused, 429, 'Too many attempts');
    expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(60);
    expect((await app.client.get(path, { headers })).status).not.toBe(429);
  });

  it('are limited for wrong passwords of any account, but not on known devices', async () => {
    const [mine, other] = [await addAccount(app), await addAccount(app)];
    const address = newAddress();
    expectOk(await login(mine, { device_id: DEVICE }));
    expectFailure(await guess(other, { address }), 403, 3001);
    expectFailure(await guess(registration(), { address }), 403, 3001);
    expectLimited(await login(other, { address }), 60);
    expectLimited(await login(mine, { address, device_id: DEVICE }), 60); // the fourth request: login-address
    expectOk(await login(mine, { device_id: DEVICE }));
  });

  it('are limited for wrong secrets of OAuth clients', async () => {
    const client = await addClient(app);
    const { headers } = from(newAddress());
    const ask = (secret: string) =>
      app.client.request('POST', '/v1/oauth/tokens', {
        headers: { ...headers, 'content-type': FORM, authorization: basic({ ...client, secret }) },
        body: 'grant_type=client_credentials&app_id=pluto',
      });
    expect([(await ask('wrong-1')).code, (await ask('wrong-2')).code]).toEqual([5005, 5005]);
    expectLimited(await ask(client.secret), 60);
    expectOk(await askTokens(app, client, { grant_type: 'client_credentials', app_id: 'pluto' }));
  });

  it('are limited for wrong secrets of one client, where one was sent before', async () => {
    const [client, other] = [await addClient(app), await addClient(app)];
    const ask = (address: string, { secret }: { secret: string }, key = client.key) =>
      app.client.request('POST', '/v1/oauth/tokens', {
        ...from(address),
        body: { grant_type: 'client_credentials', app_id: 'pluto', client_id: key, client_secret: secret },
      });
    const guessers = [newAddress(), newAddress(), newAddress()];
    const owners = newAddress();
    for (const address of guessers) expect((await ask(address, { secret: 'wrong' })).code).toBe(5005);
    for (const address of guessers) expectLimited(await ask(address, client), 60);
    expectOk(await ask(guessers[0]!, other, other.key));
    // The client itself, and who guesses for the first time.
    expectOk(await ask(owners, client));
    const late = newAddress();
    expect((await ask(late, { secret: 'wrong' })).code).toBe(5005);
    expectLimited(await ask(late, client), 60);
    expectOk(await ask(owners, client));
  });

  it('are limited for one session, whose refresh token stays valid', async () => {
    const { body } = await login(await addAccount(app));
    let refresh_token = body.refresh_token as string;
    const refresh = () =>
      app.client.post('/v1/token/refresh', { refresh_token, app_id: 'pluto' }, from(newAddress()));
    for (let done = 0; done < 2; done++) {
      const answer = await refresh();
      expectOk(answer);
      refresh_token = answer.body.refresh_token as string;
    }
    freezeClock();
    expectLimited(await refresh(), 60);
    passSeconds(61);
    expectOk(await refresh());
  });

  it('are limited for the pictures of an account, but not its other changes', async () => {
    const [ann, bob] = [await signedIn(app), await signedIn(app)];
    const change = (body: object, { token } = ann) =>
      app.client.put('/v1/user/info', body, { token, ...from(newAddress()) });
    const picture = { avatar: Buffer.from('not a picture').toString('base64') };
    for (let done = 0; done < 2; done++) expectFailure(await change(picture), 400, 3006);
    expectLimited(await change(picture), 60);
    expectOk(await change({ name: 'Ann', avatar: 'https://example.com/ann.png' }));
    expectFailure(await change(picture, bob), 400, 3006);
  });

  it('are limited for the OAuth clients of an account', async () => {
    const id = await addUser(app, {});
    const { accessToken: token } = await openSession(app, id, 'pluto');
    const codes: number[] = [];
    for (let number = 0; number < 3; number++) {
      const client = { key: `bot-${number}`, redirect_uri: 'https://bot.example/back' };
      codes.push((await app.client.post('/v1/oauth/client', client, { token })).code);
    }
    expect(codes).toEqual([0, 0, 1006]);
  });

  it('count one IPv6 network as one', async () => {
    const send = (address: string) =>
      app.client.post('/v1/token/refresh', { refresh_token: 'x', app_id: 'none' }, from(address));
    const home = ['2001:db8:0:1101::1', '2001:db8:0:11ff:a:b:c:d', '2001:0db8::1180:0:0:0:5'];
    for (const address of home) expect((await send(address)).code).toBe(4005);
    expect((await send('2001:db8:0:1100::9')).code).toBe(1006);
    expect((await send('2001:db8:0:1200::9')).code).toBe(4005);
  });
});

describe('X-Forwarded-For', () => {
  const LIMITS = { RATE_LIMITS: 'refresh-address=2/60' };
  afterEach(() => app.close());

  const send = (forwarded: string) =>
    app.client.post('/v1/token/refresh', { refresh_token: 'x', app_id: 'none' }, from(forwarded));

  it('is ignored when it does not come from TRUST_PROXY', async () => {
    app = await limited({ ...LIMITS, TRUST_PROXY: '192.0.2.1' });
    const codes = [];
    for (let done = 0; done < 3; done++) codes.push((await send(newAddress())).code);
    expect(codes).toEqual([4005, 4005, 1006]);
  });

  it('counts by the address that the proxy saw, not by what its client claims', async () => {
    app = await limited(LIMITS);
    const codes = [];
    for (let done = 0; done < 3; done++) codes.push((await send(`${newAddress()}, 203.0.113.9`)).code);
    expect(codes).toEqual([4005, 4005, 1006]);
    expect((await send('203.0.113.9, 203.0.113.10')).code).toBe(4005);
  });
});

describe('RATE_LIMIT=false', () => {
  beforeAll(async () => (app = await limited({ RATE_LIMIT: 'false', RATE_LIMITS: 'refresh-address=1/60' })));
  afterAll(() => app.close());

  it('disables every limit', async () => {
    const account = await addAccount(app);
    expect(countByCode(await guesses(account, 12, { address: '203.0.113.1' }))).toEqual({ 3001: 12 });
    const { mail, app_id } = account;
    for (let done = 0; done < 7; done++)
      expectOk(await app.client.post('/v1/user/password/reset/mail', { mail, app_id }));
    for (let done = 0; done < 3; done++)
      expectFailure(await app.client.post('/v1/token/refresh', { refresh_token: 'x', app_id }), 403, 3002);
  });
});
