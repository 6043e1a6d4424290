import { addAccount, registration } from '../support/accounts.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { addApplication, type TestApplication } from '../support/applications.js';
import type { Answer } from '../support/client.js';
import { expectFailure, expectOk, expectPage } from '../support/expectations.js';
import { openForm, type OpenForm } from '../support/forms.js';
import { FORM } from '../support/oauth.js';

let app: TestApp;
let shop: TestApplication;
beforeAll(async () => {
  app = await startTestApp();
  shop = await addApplication(app, { name: 'org.example.shop', roles: { customer: ['shop.buy'] } });
});
afterAll(() => app.close());

const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';
/** curl and fetch; axios; a client that takes either; one that likes JSON better. */
const programs = [
  '*/*',
  'application/json',
  'application/json, text/plain, */*',
  'application/json, text/html;q=0.9',
  'image/png',
];

function send({ path, cookie, fields }: OpenForm, accept: string, change = {}): Promise<Answer> {
  return app.client.request('POST', path, {
    headers: { accept, 'content-type': FORM, cookie },
    body: new URLSearchParams({ ...fields, ...change }).toString(),
  });
}

async function resetForm(): Promise<OpenForm> {
  const { mail, app_id } = await addAccount(app, { app_id: shop.name });
  expectOk(await app.client.post('/v1/user/password/reset/mail', { mail, app_id }));
  return openForm(app.client, await app.mailbox.linkTo(mail));
}

async function verifyForm(): Promise<OpenForm> {
  const account = registration({ app_id: shop.name });
  expectOk(await app.client.post('/v1/user/register', account));
  return openForm(app.client, await app.mailbox.linkTo(account.mail));
}

const forgotForm = () => openForm(app.client, `/web/password/forgot?app_id=${shop.name}`);
const password = { password: 'another password', password_repeat: 'another password' };
const UNKNOWN = '/web/password/reset/Jq0s3kZ5v0cU9nF2m1bq7uYwXg4hT6eR8aKpLdVzQ_M';

describe.each(programs)('a client that sends Accept: %s', (accept) => {
  it('gets the results of forms as JSON', async () => {
    expectOk(await send(await resetForm(), accept, password), {});
    expectOk(await send(await verifyForm(), accept), {});
    const forgot = await forgotForm();
    expectOk(await send({ ...forgot, path: '/web/password/forgot' }, accept, { mail: 'a@b.example' }), {});
  });

  it('gets refusals of forms as JSON', async () => {
    const form = await resetForm();
    const refused = await send(form, accept, { password: 'short' });
    expectFailure(refused, 400, 1001, 'Bad Request: password must be at least 8 characters long');
    const twice = await send(form, accept, { ...password, password_repeat: 'other' });
    expectFailure(twice, 400, 1001, 'Bad Request: password_repeat must equal password');
    expectFailure(await send({ ...form, fields: {} }, accept, password), 403, 1002);
    const forgot = { ...(await forgotForm()), path: '/web/password/forgot' };
    expectFailure(await send(forgot, accept, { mail: 'nobody' }), 400, 1001);
  });

  it('gets invalid links as JSON', async () => {
    const message = 'Path not found: the link is unknown, used or expired';
    for (const path of [UNKNOWN, UNKNOWN.replace('password/reset', 'mail/verify')])
      expectFailure(await app.client.get(path, { headers: { accept } }), 404, 1005, message);
    const form = await resetForm();
    expectOk(await send(form, accept, password), {});
    expectFailure(await send(form, accept, password), 404, 1005, message);
  });

  it('gets tokens from the sign-in page without its page token', async () => {
    const { mail, password: own } = await addAccount(app, { app_id: shop.name });
    const fields = { account: mail, password: own, app_id: shop.name };
    const answer = await send({ path: '/web/login', cookie: '', fields }, accept);
    expectOk(answer, expect.objectContaining({ access_token: expect.any(String), type: 'Bearer' }));
    expect(answer.headers.getSetCookie()).toEqual([]);
    const wrong = { ...fields, password: 'wrong password' };
    expectFailure(await send({ path: '/web/login', cookie: '', fields: wrong }, accept), 403, 3001);
  });

  it('gets forms to fill in as HTML, which is all there is', async () => {
    const { path } = await resetForm();
    for (const page of [path, '/web/login', '/web/password/forgot'])
      expectPage(await app.client.get(page, { headers: { accept } }), 200, '_csrf');
  });
});

describe('a form of a page', () => {
  it.each([BROWSER, '*/*'])('is answered by a redirect with Accept: %s', async (accept) => {
    const { mail, password: own } = await addAccount(app);
    const form = { ...(await openForm(app.client, '/web/login')), path: '/web/login' };
    const answer = await send(form, accept, { account: mail, password: own });
    expect([answer.status, answer.headers.get('location')]).toEqual([302, '/web/login?app_id=pluto']);
    expect(answer.headers.getSetCookie().join()).toContain('access_token=');
  });

  it('is shown again with its fault to a browser only', async () => {
    const form = { ...(await openForm(app.client, '/web/login')), path: '/web/login' };
    const wrong = { account: 'nobody', password: 'wrong password' };
    expectPage(await send(form, BROWSER, wrong), 403, 'role="alert"');
    expectFailure(await send(form, '*/*', wrong), 403, 3001);
  });

  it('is confirmed by a page to a browser', async () => {
    expectPage(await send(await resetForm(), BROWSER, password), 200, '<h1>');
    expectPage(await send(await verifyForm(), BROWSER), 200, '<h1>');
    expectPage(await app.client.page(UNKNOWN), 404, '<h1>');
  });
});
