import { login, addAccount, registration, type TestAccount, type Tokens } from '../support/accounts.js';
import { startTestApp, type TestApp } from '../support/app.js';
import type { Answer } from '../support/client.js';
import { expectFailure, expectOk } from '../support/expectations.js';

// Only for the embedded database, which has its own file.
const describeOnSqlite = process.env.TEST_DATABASE_URL ? (): void => undefined : describe;

describeOnSqlite('with a database file that cannot grow', () => {
  let app: TestApp;
  let account: TestAccount;
  beforeAll(async () => {
    app = await startTestApp();
    account = await addAccount(app);
  });
  afterAll(() => app.close());
  afterEach(async () => {
    await app.dataSource.query('PRAGMA max_page_count = 1000000');
    await app.dataSource.query('PRAGMA query_only = OFF');
  });

  /** Free pages inside the file are used up first. */
  async function refreshUntilRefused(refreshToken: string): Promise<Answer> {
    let answer = await app.client.post('/v1/token/refresh', { refresh_token: refreshToken, app_id: 'pluto' });
    for (let attempt = 0; answer.status === 200 && attempt < 500; attempt++) {
      const { refresh_token } = answer.body as Tokens;
      answer = await app.client.post('/v1/token/refresh', { refresh_token, app_id: 'pluto' });
    }
    return answer;
  }

  it('answers writes with 503, and recovers when there is space', async () => {
    const { refresh_token, access_token: token } = await login(app, account);
    await app.dataSource.query('PRAGMA max_page_count = 1');
    expectFailure(await refreshUntilRefused(refresh_token), 503, 1010);
    expect(app.log()).toContain('disk error: the disk is full (SQLITE_FULL)');
    expect(app.log()).toContain('"code":"SQLITE_FULL"');
    // Reads still work.
    expectOk(await app.client.get('/v1/user/info', { token }));
    expectOk(await app.client.post('/v1/token/access/verify', { token }));
    await app.dataSource.query('PRAGMA max_page_count = 1000000');
    expectOk(await app.client.post('/v1/user/register', registration()));
  });

  it('answers the same when the file is read-only', async () => {
    const { refresh_token } = await login(app, account);
    await app.dataSource.query('PRAGMA query_only = ON');
    const refresh = () => app.client.post('/v1/token/refresh', { refresh_token, app_id: 'pluto' });
    expectFailure(await refresh(), 503, 1010);
    expect(app.log()).toContain('"code":"SQLITE_READONLY"');
    await app.dataSource.query('PRAGMA query_only = OFF');
    expectOk(await refresh());
  });
});

// The same name on either database, so that this file is never without a test.
describe('GET /health/live', () => {
  it('answers whatever the state of the database', async () => {
    const app = await startTestApp();
    await app.dataSource.destroy();
    try {
      expect((await app.client.get('/health/live')).status).toBe(200);
    } finally {
      await app.dataSource.initialize();
      await app.close();
    }
  });
});
