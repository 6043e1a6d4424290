import { addAccount, registration } from '../support/accounts.js';
import { nextNumber, type Answer } from '../support/client.js';
import {
  APP_ID,
  app,
  apple,
  google,
  inLines,
  jwt,
  OldClient,
  payloadOf,
  photo,
  useOldClients,
  wechat,
} from '../support/old-clients.js';

// What PlutoSDK 1.0.1 for iOS sends, with the headers of Alamofire 5, and what it reads of the answers.

useOldClients();

const DEVICE = '6E5A5C1C-6B1F-4C0B-9D5E-2F4C9B1D7A10';
const LANGUAGE = { 'accept-language': 'zh-Hans' };

let sdk: OldClient;
beforeAll(() => {
  const headers = {
    accept: '*/*',
    'accept-encoding': 'br;q=1.0, gzip;q=0.9, deflate;q=0.8',
    'accept-language': 'zh-Hans-CN;q=1.0, en-CN;q=0.9',
    'user-agent': 'Reader/3.2 (org.example.reader; build:41; iOS 14.4.0) Alamofire/5.4.1',
  };
  // NSJSONSerialization escapes slashes.
  const write = (body: object) => JSON.stringify(body).replaceAll('/', '\\/');
  sdk = new OldClient(app.client, headers, 'application/json', write);
});

/** The SDK takes an answer for a success by its `status` alone, and `body` must be an object. */
function expectSuccess(answer: Answer): void {
  expect(answer.json).toMatchObject({ status: 'ok', body: expect.any(Object) });
  expect(Array.isArray(answer.body)).toBe(false);
}

function expectError(answer: Answer, code: number): void {
  expect(answer.json).toEqual({ status: 'error', error: { code, message: expect.any(String) } });
}

/** What the SDK stores of a login or a refresh. */
function expectTokens(answer: Answer): { accessToken: string; refreshToken: string; sub: number } {
  expectSuccess(answer);
  const { access_token: accessToken, refresh_token: refreshToken } = answer.body as Record<string, string>;
  expect([typeof accessToken, typeof refreshToken]).toEqual(['string', 'string']);
  const { sub, exp, scopes } = payloadOf(accessToken!);
  expect([Number.isInteger(sub), Number.isInteger(exp), Array.isArray(scopes)]).toEqual([true, true, true]);
  return { accessToken: accessToken!, refreshToken: refreshToken!, sub: sub as number };
}

/** `PlutoUser` and its bindings, with their types. */
function expectUser(answer: Answer): Record<string, unknown> {
  expectSuccess(answer);
  expect(answer.body).toMatchObject({
    sub: expect.any(Number),
    user_id: expect.any(String),
    user_id_updated: expect.any(Boolean),
    avatar: expect.any(String),
    name: expect.any(String),
    bindings: expect.any(Array),
  });
  for (const binding of answer.body.bindings as object[])
    expect(binding).toEqual({
      login_type: expect.stringMatching(/^(mail|apple|google|wechat)$/),
      mail: expect.any(String),
    });
  return answer.body as Record<string, unknown>;
}

const loginBody = (account: string, password: string) => ({
  account,
  password,
  device_id: DEVICE,
  app_id: APP_ID,
});

async function signIn(): Promise<{ accessToken: string; refreshToken: string; sub: number; mail: string }> {
  const { mail, password } = await addAccount(app, { app_id: APP_ID });
  const body = loginBody(mail, password);
  const answer = await sdk.send('POST', '/v1/user/login/account', { body, headers: LANGUAGE });
  return { ...expectTokens(answer), mail };
}

describe('the Swift SDK', () => {
  it('registers, asks for the mail again, and resets the password', async () => {
    const { mail, user_id, name, password } = registration();
    const send = (path: string, body: object) =>
      sdk.send('POST', path, { body: { ...body, app_id: APP_ID }, headers: LANGUAGE });
    expectSuccess(await send('/v1/user/register', { user_id, mail, password, name }));
    expectSuccess(await send('/v1/user/register/verify/mail', { mail }));
    expectSuccess(await send('/v1/user/register/verify/mail', { user_id }));
    expectError(await send('/v1/user/login/account', { account: mail, password, device_id: DEVICE }), 2003);
    const confirmed = await app.client.submit(await app.mailbox.linkTo(mail));
    expect(confirmed.status).toBe(200);
    expectTokens(await send('/v1/user/login/account', { account: user_id, password, device_id: DEVICE }));
    expectSuccess(await send('/v1/user/password/reset/mail', { mail }));
    expectError(await send('/v1/user/register/verify/mail', { mail }), 2004);
    expectError(await send('/v1/user/register', { user_id: `${user_id}x`, mail, password, name }), 2001);
  });

  it('signs in with Google, Apple and WeChat', async () => {
    const logins = {
      google: { id_token: await google.idToken() },
      apple: { code: apple.code(), name: 'Ann Appleseed' },
      wechat: { code: wechat.code(wechat.person()) },
    };
    for (const [type, credential] of Object.entries(logins)) {
      const body = { ...credential, device_id: DEVICE, app_id: APP_ID };
      const path = `/v1/user/login/${type}/mobile`;
      const { accessToken } = expectTokens(await sdk.send('POST', path, { body, headers: LANGUAGE }));
      const user = expectUser(await sdk.send('GET', '/v1/user/info', { headers: jwt(accessToken) }));
      // The app asks for a handle while this is false.
      expect(user).toMatchObject({ user_id_updated: false, bindings: [{ login_type: type }] });
    }
    const invented = { code: 'invented', device_id: DEVICE, app_id: APP_ID };
    expectError(await sdk.send('POST', '/v1/user/login/wechat/mobile', { body: invented }), 3005);
  });

  it('reads and changes the profile, with a photo as base64 in lines of 64', async () => {
    const { accessToken, sub, mail } = await signIn();
    const headers = { ...LANGUAGE, ...jwt(accessToken) };
    const info = async () => expectUser(await sdk.send('GET', '/v1/user/info', { headers }));
    const put = (body: object) => sdk.send('PUT', '/v1/user/info', { body, headers });
    expect(await info()).toMatchObject({
      sub,
      user_id_updated: true,
      avatar: '',
      bindings: [{ login_type: 'mail', mail }],
    });
    const user_id = `swift${nextNumber()}`;
    expectSuccess(await put({ user_id }));
    expectSuccess(await put({ name: '安 / Ann' }));
    expectSuccess(await put({ avatar: inLines(await photo(), 64, '\r\n') }));
    expect(await info()).toMatchObject({
      user_id,
      user_id_updated: true,
      name: '安 / Ann',
      avatar: expect.stringMatching(/^http.*\.jpg$/),
    });
    expectError(await put({ avatar: 'bm90IGEgcGhvdG8=' }), 3006);
  });

  it('binds and unbinds', async () => {
    const { accessToken } = await signIn();
    const headers = { ...LANGUAGE, ...jwt(accessToken) };
    const post = (path: string, body: object) => sdk.send('POST', path, { body, headers });
    expectSuccess(await post('/v1/user/binding', { type: 'google', id_token: await google.idToken() }));
    expectSuccess(await post('/v1/user/binding', { type: 'apple', code: apple.code() }));
    expectSuccess(await post('/v1/user/binding', { type: 'wechat', code: wechat.code(wechat.person()) }));
    expectError(await post('/v1/user/binding', { type: 'google', id_token: await google.idToken() }), 2007);
    for (const type of ['wechat', 'apple', 'google'])
      expectSuccess(await post('/v1/user/unbinding', { type }));
    expectError(await post('/v1/user/unbinding', { type: 'apple' }), 2008);
    expectError(await post('/v1/user/unbinding', { type: 'mail' }), 2010);
  });

  it('refreshes, and signs the user out on 3002 only', async () => {
    const { refreshToken, sub } = await signIn();
    const refresh = (refresh_token: string) =>
      sdk.send('POST', '/v1/token/refresh', { body: { refresh_token, app_id: APP_ID } });
    const next = expectTokens(await refresh(refreshToken));
    expect(next.sub).toBe(sub);
    expect(next.refreshToken).not.toBe(refreshToken);
    expectTokens(await refresh(next.refreshToken));
    expectError(await refresh('7D1A2B3C-0000-4000-8000-000000000000'), 3002);
    expectError(await sdk.send('GET', '/v1/user/info', { headers: jwt('0B1C2D3E-0000') }), 3003);
  });

  it('works with a server address that ends in several slashes', async () => {
    const { accessToken } = await signIn();
    expectUser(await sdk.send('GET', '//v1/user/info', { headers: jwt(accessToken) }));
  });
});
