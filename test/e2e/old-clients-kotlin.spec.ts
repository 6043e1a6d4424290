import { addAccount, registration } from '../support/accounts.js';
import { nextNumber, type Answer } from '../support/client.js';
import {
  APP_ID,
  app,
  google,
  inLines,
  jwt,
  OldClient,
  payloadOf,
  photo,
  useOldClients,
  wechat,
} from '../support/old-clients.js';

// What the Kotlin SDK 0.9.0 for Android sends, with Retrofit, OkHttp and a Gson that writes nulls, and what it
// reads of the answers. It decodes into non-null fields, so a null would crash the app later.

useOldClients();

const DEVICE = '0f6f6f2e-56b0-4c2f-8c5c-0e5f7a3d9b21';
const LANGUAGE = { 'accept-language': 'zh-Hant' };

let sdk: OldClient;
beforeAll(() => {
  const headers = { 'accept-encoding': 'gzip', 'user-agent': 'okhttp/3.12.0' };
  sdk = new OldClient(app.client, headers, 'application/json; charset=UTF-8');
});

/** A success must be 200: the SDK reads `body` of 2xx and the error's code of everything else. */
function expectSuccess(answer: Answer): void {
  expect(answer.status).toBe(200);
  expect(answer.json).toMatchObject({ status: 'ok', body: expect.any(Object) });
}

function expectError(answer: Answer, code: number): void {
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect(answer.json).toEqual({ status: 'error', error: { code, message: expect.any(String) } });
}

function expectTokens(answer: Answer): { accessToken: string; refreshToken: string } {
  expectSuccess(answer);
  const { access_token: accessToken, refresh_token: refreshToken } = answer.body as Record<string, string>;
  const { sub, exp } = payloadOf(accessToken!);
  // `JSONObject.getInt`
  expect([Number.isInteger(sub), Number.isInteger(exp)]).toEqual([true, true]);
  expect(refreshToken).toEqual(expect.any(String));
  return { accessToken: accessToken!, refreshToken: refreshToken! };
}

function expectUser(answer: Answer): Record<string, unknown> {
  expectSuccess(answer);
  expect(answer.body).toMatchObject({
    sub: expect.any(Number),
    user_id: expect.any(String),
    user_id_updated: expect.any(Boolean),
    avatar: expect.any(String),
    name: expect.any(String),
  });
  for (const binding of answer.body.bindings as object[])
    expect(binding).toEqual({ login_type: expect.any(String), mail: expect.any(String) });
  return answer.body as Record<string, unknown>;
}

async function signIn(): Promise<{ accessToken: string; refreshToken: string; mail: string }> {
  const { mail, password } = await addAccount(app, { app_id: APP_ID });
  const body = { account: mail, password, device_id: DEVICE, app_id: APP_ID };
  return { ...expectTokens(await sdk.send('POST', '/v1/user/login/account', { body })), mail };
}

describe('the Kotlin SDK', () => {
  it('registers and asks for mails, with null for the field that it leaves out', async () => {
    const { mail, user_id, name, password } = registration();
    const send = (path: string, body: object) =>
      sdk.send('POST', path, { body: { ...body, app_id: APP_ID }, headers: LANGUAGE });
    expectSuccess(await send('/v1/user/register', { user_id, mail, password, name }));
    expectSuccess(await send('/v1/user/register/verify/mail', { user_id: null, mail }));
    expectSuccess(await send('/v1/user/register/verify/mail', { user_id, mail: null }));
    expectSuccess(await send('/v1/user/password/reset/mail', { mail }));
    // Confirming is left to the browser.
    expect((await app.client.submit(await app.mailbox.linkTo(mail))).status).toBe(200);
    const taken = { user_id, mail: `other.${mail}`, password, name };
    expectError(await send('/v1/user/register', taken), 2006);
  });

  it('signs in with Google and WeChat', async () => {
    const person = wechat.person();
    const logins = { google: { id_token: await google.idToken() }, wechat: { code: wechat.code(person) } };
    for (const [type, credential] of Object.entries(logins)) {
      const body = { ...credential, device_id: DEVICE, app_id: APP_ID };
      const { accessToken } = expectTokens(await sdk.send('POST', `/v1/user/login/${type}/mobile`, { body }));
      const user = expectUser(await sdk.send('GET', '/v1/user/info', { headers: jwt(accessToken) }));
      expect(user).toMatchObject({ user_id_updated: false, bindings: [{ login_type: type }] });
    }
  });

  it('changes one field of the profile and sends null for the others', async () => {
    const { accessToken } = await signIn();
    const put = (body: object) => sdk.send('PUT', '/v1/user/info', { body, headers: jwt(accessToken) });
    const user_id = `kotlin${nextNumber()}`;
    expectSuccess(await put({ name: null, avatar: null, user_id }));
    expectSuccess(await put({ name: 'Ann', avatar: null, user_id: null }));
    // `Base64.DEFAULT` ends every line, the last one too.
    const avatar = `${inLines(await photo(), 76, '\n')}\n`;
    expectSuccess(await put({ name: null, avatar, user_id: null }));
    const user = expectUser(await sdk.send('GET', '/v1/user/info', { headers: jwt(accessToken) }));
    expect(user).toMatchObject({
      user_id,
      user_id_updated: true,
      name: 'Ann',
      avatar: expect.stringMatching(/^http.*\.jpg$/),
    });
  });

  it('binds and unbinds, with null for the credentials of other types', async () => {
    const { accessToken } = await signIn();
    const post = (path: string, body: object) => sdk.send('POST', path, { body, headers: jwt(accessToken) });
    const none = { code: null, id_token: null, mail: null };
    const id_token = await google.idToken();
    expectSuccess(await post('/v1/user/binding', { ...none, type: 'google', id_token }));
    const code = wechat.code(wechat.person());
    expectSuccess(await post('/v1/user/binding', { ...none, type: 'wechat', code }));
    expectSuccess(await post('/v1/user/unbinding', { type: 'wechat' }));
    expectSuccess(await post('/v1/user/unbinding', { type: 'google' }));
    expectError(await post('/v1/user/unbinding', { type: 'mail' }), 2010);
  });

  it('binds a mail to an account of Google', async () => {
    const body = { id_token: await google.idToken(), device_id: DEVICE, app_id: APP_ID };
    const { accessToken } = expectTokens(await sdk.send('POST', '/v1/user/login/google/mobile', { body }));
    const mail = `kotlin${nextNumber()}@example.com`;
    const binding = { type: 'mail', code: null, id_token: null, mail };
    const headers = jwt(accessToken);
    expectSuccess(await sdk.send('POST', '/v1/user/binding', { body: binding, headers }));
  });

  it('refreshes, and signs the user out on 3002, 3009 and 3011 only', async () => {
    const { refreshToken, accessToken } = await signIn();
    const refresh = (refresh_token: string) =>
      sdk.send('POST', '/v1/token/refresh', { body: { refresh_token, app_id: APP_ID } });
    expectTokens(await refresh(expectTokens(await refresh(refreshToken)).refreshToken));
    expectError(await refresh('0b6f3c1e-7f1f-4a53-9a6d-6a1a4f0c9d11'), 3002);
    expectUser(await sdk.send('GET', '/v1/user/info', { headers: jwt(accessToken) }));
  });
});
