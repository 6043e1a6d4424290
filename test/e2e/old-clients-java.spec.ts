import { createPublicKey, verify } from 'node:crypto';
import { addAccount, login, signedIn } from '../support/accounts.js';
import type { Answer } from '../support/client.js';
import { APP_ID, app, OldClient, payloadOf, useOldClients } from '../support/old-clients.js';
import { idOf } from '../support/profiles.js';

// What PlutoJavaServerSDK 0.2 sends by HttpURLConnection, whose `Accept` prefers HTML, and what it reads. It
// joins the ids behind an `&`, reads the public key once per process, and parses it as X.509.

useOldClients();

let sdk: OldClient;
beforeAll(() => {
  const headers = {
    accept: 'text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2',
    'user-agent': 'Java/1.8.0_265',
  };
  sdk = new OldClient(app.client, headers, 'application/json');
});

async function fetchUsers(ids: number[]): Promise<Answer> {
  const query = ids.map((id) => `ids=${id}`).reduce((joined, id) => `${joined}&${id}`, '');
  return sdk.send('GET', `/v1/user/info/public?${query}`);
}

/** `PlutoUserInfo` of each key; the SDK skips name and avatar where `err_code` is 403. */
function expectInfos(answer: Answer, ids: number[]): void {
  expect([answer.status, answer.json.status]).toEqual([200, 'ok']);
  expect(Object.keys(answer.body as object).sort()).toEqual(ids.map(String).sort());
  for (const [key, info] of Object.entries(answer.body as object))
    expect(info).toMatchObject({ id: Number(key), name: expect.any(String), avatar: expect.any(String) });
}

describe('the Java SDK', () => {
  it('verifies access tokens with the public key, issuer and claims', async () => {
    const account = await addAccount(app, { app_id: APP_ID });
    const { access_token: token } = await login(app, { ...account, app_id: APP_ID });
    const answer = await sdk.send('GET', '/v1/token/publickey');
    expect(answer.json).toEqual({ status: 'ok', body: { public_key: expect.any(String) } });
    const base64 = (answer.body.public_key as string)
      .replaceAll(/\r|\n/g, '')
      .replace('-----BEGIN PUBLIC KEY-----', '')
      .replace('-----END PUBLIC KEY-----', '');
    expect(base64).toMatch(/^[A-Za-z0-9+/]+=*$/);
    const key = createPublicKey({ key: Buffer.from(base64, 'base64'), format: 'der', type: 'spki' });
    const [head = '', payload = '', signature = ''] = token.split('.');
    expect(JSON.parse(Buffer.from(head, 'base64url').toString())).toMatchObject({ alg: 'RS256' });
    const signed = Buffer.from(`${head}.${payload}`);
    expect(verify('sha256', signed, key, Buffer.from(signature, 'base64url'))).toBe(true);
    expect(payloadOf(token)).toMatchObject({ iss: APP_ID, sub: account.id, scopes: ['read'] });
  });

  it('fetches users, whoever else is asked for', async () => {
    const ids = [await signedIn(app, { app_id: APP_ID }), await signedIn(app)].map(({ token }) =>
      idOf(token),
    );
    expectInfos(await fetchUsers(ids), ids);
    expectInfos(await fetchUsers([...ids, 2_000_000_000]), ids);
    for (const impossible of [0, -1, 2 ** 31, Number.MAX_SAFE_INTEGER])
      expectInfos(await fetchUsers([impossible, ...ids]), ids);
  });

  it('fetches 101 and 1,000 users', async () => {
    const id = idOf((await signedIn(app)).token);
    for (const count of [101, 1000]) {
      const others = Array.from({ length: count - 1 }, (_, index) => 2_000_000_000 + index);
      expectInfos(await fetchUsers([...others, id]), [id]);
    }
  });

  it('works with a server address that has a slash too many', async () => {
    expect((await sdk.send('GET', '//v1/token/publickey')).status).toBe(200);
  });
});
