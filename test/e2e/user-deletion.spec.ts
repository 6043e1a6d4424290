import { Mail } from '../../src/mail/mail.entity.js';
import { Application } from '../../src/applications/application.entity.js';
import { UserRole } from '../../src/rbac/user-role.entity.js';
import { User } from '../../src/users/user.entity.js';
import { expectSearchIndexIsExact } from '../support/search-index.js';
import { login, signedIn, type TestAccount } from '../support/accounts.js';
import { ADMIN } from '../support/app.js';
import { giveRole } from '../support/applications.js';
import { expectFailure, expectOk } from '../support/expectations.js';
import {
  app,
  avatarOf,
  getRaw,
  idOf,
  info,
  pathOf,
  png,
  shop,
  storedAvatars,
  update,
  useProfiles,
} from '../support/profiles.js';

useProfiles();

describe('POST /v1/user/delete', () => {
  const remove = (token: string) => app.client.post('/v1/user/delete', undefined, { token });

  /** Every row of every table that names the account in any of its columns, by table. */
  async function findTraces({ id, texts }: { id: number; texts: string[] }): Promise<Record<string, number>> {
    const traces: Record<string, number> = {};
    for (const { tableName, columns } of app.dataSource.entityMetadatas) {
      const references = columns
        .filter(({ referencedColumn }) => referencedColumn?.entityMetadata.tableName === 'users')
        .map(({ databaseName }) => databaseName);
      const rows = await app.dataSource.query<Record<string, unknown>[]>(`SELECT * FROM ${tableName}`);
      const found = rows.filter(
        (row) =>
          references.some((column) => Number(row[column]) === id) ||
          (tableName === 'users' && Number(row.id) === id) ||
          Object.values(row).some((value) =>
            texts.some((text) => String(value).toLowerCase().includes(text)),
          ),
      );
      if (found.length > 0) traces[tableName] = found.length;
    }
    return traces;
  }

  /** The audit trail keeps the account's id. */
  async function countRows(): Promise<Record<string, number>> {
    const { entityMetadatas, manager } = app.dataSource;
    const tables = entityMetadatas.filter(({ tableName }) => tableName !== 'audit_events');
    const counts = await Promise.all(
      tables.map(async ({ tableName, target }) => [tableName, await manager.count(target)] as const),
    );
    return Object.fromEntries(counts);
  }

  /** An account with rows in every table that can refer to it. */
  async function signedInEverywhere(
    change: Partial<TestAccount> = {},
  ): Promise<{ token: string; id: number }> {
    const { account, token } = await signedIn(app, { app_id: shop.name, ...change });
    const id = idOf(token);
    await giveRole(app, id, shop, 'guest');
    const { refresh_token } = await login(app, account);
    await app.client.post('/v1/token/refresh', { refresh_token, app_id: shop.name });
    expectOk(await update(token, { avatar: (await png()).toString('base64') }));
    await app.client.post('/v1/user/password/reset/mail', { mail: account.mail, app_id: shop.name });
    await app.mailbox.waitFor(account.mail);
    await settle(account.mail);
    await app.dataSource.manager.insert(Mail, {
      userId: id,
      template: 'password-reset',
      language: 'en',
      recipient: account.mail,
      sealedContext: 'v1.sealed',
      state: 'failed',
      nextAttemptAt: 0,
      expiresAt: 4_000_000_000,
      createdAt: 0,
    });
    return { token, id };
  }

  /** Waits until the outbox is empty. */
  async function settle(recipient: string): Promise<void> {
    const deadline = performance.now() + 5000;
    while (await app.dataSource.manager.existsBy(Mail, { recipient })) {
      if (performance.now() > deadline) throw new Error('a mail stays in the outbox');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  it('leaves no trace of the account in any table, and no file', async () => {
    const before = { rows: await countRows(), files: storedAvatars() };
    const account = {
      mail: 'Vanishing.Ann@example.com',
      user_id: 'Vanishing-Handle',
      name: 'Vanishing Name',
    };
    const { token, id } = await signedInEverywhere(account);
    const texts = Object.values(account).map((text) => text.toLowerCase());
    expect(Object.keys(await findTraces({ id, texts })).sort()).toEqual(
      ['identities', 'known_devices', 'mails', 'search_parts', 'sessions', 'user_roles', 'users'].sort(),
    );
    const avatar = await avatarOf(token);

    expectOk(await remove(token), {});

    expect(await findTraces({ id, texts })).toEqual({});
    expect(await countRows()).toEqual(before.rows);
    expect(storedAvatars()).toEqual(before.files);
    expect((await getRaw(pathOf(avatar))).status).toBe(404);
    expectOk(await app.client.get(`/v1/user/info/public?ids=${id}`), {});
    expectFailure(await app.client.get(`/v1/user/info/${account.user_id}/public`), 403, 2005);
  });

  it('ends all sessions immediately', async () => {
    const { account, tokens, token } = await signedIn(app);
    const elsewhere = await login(app, account);
    const bystander = await signedIn(app);
    expectOk(await remove(token), {});
    for (const { access_token, refresh_token } of [tokens, elsewhere]) {
      expectFailure(await info(access_token), 403, 3009);
      expectFailure(await update(access_token, { name: 'Ghost' }), 403, 3009);
      const body = { refresh_token, app_id: 'pluto' };
      expectFailure(await app.client.post('/v1/token/refresh', body), 403, 3002);
    }
    expect((await info(bystander.token)).status).toBe(200);
    expectFailure(
      await app.client.post('/v1/user/login/account', { ...account, account: account.mail }),
      403,
      3001,
    );
  });

  it('frees mail and handle for an account with another id', async () => {
    const { account, token } = await signedIn(app);
    expectOk(await remove(token), {});
    const { length: kept } = await app.mailbox.to(account.mail);
    expectOk(await app.client.post('/v1/user/register', account));
    await app.client.submit(await app.mailbox.linkTo(account.mail, kept + 1));
    const again = await login(app, account);
    expect(idOf(again.access_token)).toBeGreaterThan(idOf(token));
    expectFailure(await info(token), 403, 3009);
  });

  it('keeps the same person’s account in another application', async () => {
    const { account, token } = await signedIn(app);
    const there = { ...account, app_id: shop.name };
    expectOk(await app.client.post('/v1/user/register', there));
    await app.client.submit(await app.mailbox.linkTo(account.mail));
    expectOk(await remove(token), {});
    await login(app, there);
  });

  it('refuses a second deletion with 3009', async () => {
    const { token } = await signedIn(app);
    expectOk(await remove(token), {});
    expectFailure(await remove(token), 403, 3009);
  });

  it('deletes once for concurrent requests', async () => {
    const { token } = await signedIn(app);
    const answers = await Promise.all(Array.from({ length: 10 }, () => remove(token)));
    for (const { code } of answers) expect([0, 3009]).toContain(code);
    expect(answers.some(({ code }) => code === 0)).toBe(true);
    expect(await app.dataSource.manager.existsBy(User, { id: idOf(token) })).toBe(false);
  });

  it('refuses a request without a token with 1003', async () => {
    expectFailure(await app.client.post('/v1/user/delete'), 401, 1003);
  });

  it('refuses the last administrator with 1002 and changes nothing', async () => {
    const { access_token: token } = await login(app, ADMIN);
    const before = { rows: await countRows(), info: (await info(token)).json as unknown };
    expectFailure(await remove(token), 403, 1002);
    expect(await countRows()).toEqual(before.rows);
    expect((await info(token)).json).toEqual(before.info);
    await login(app, ADMIN);
  });

  it('keeps one of two administrators who leave concurrently', async () => {
    const { manager } = app.dataSource;
    const second = await signedIn(app);
    const admin = await login(app, ADMIN);
    const { id: applicationId } = await manager.findOneByOrFail(Application, { name: 'pluto' });
    const { roleId } = await manager.findOneByOrFail(UserRole, {
      userId: idOf(admin.access_token),
      applicationId,
    });
    await manager.insert(UserRole, { userId: idOf(second.token), applicationId, roleId });

    const answers = await Promise.all([remove(second.token), remove(admin.access_token)]);
    expect(answers.map(({ code }) => code).sort()).toEqual([0, 1002]);
    expect(await manager.countBy(UserRole, { applicationId, roleId })).toBe(1);
  });
});

it('leaves the search index exact', () => expectSearchIndexIsExact(app));
