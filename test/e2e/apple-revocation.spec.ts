import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import { AppleGrant } from '../../src/auth/providers/apple/apple-grant.entity.js';
import { AppleGrantsService } from '../../src/auth/providers/apple/apple-grants.service.js';
import { AppleRevocationWorker } from '../../src/auth/providers/apple/apple-revocation.worker.js';
import { AppleProvider } from '../../src/auth/providers/apple/apple.provider.js';
import { dataSourceOptions } from '../../src/database/data-source-options.js';
import { PlutoDataSource } from '../../src/database/pluto-data-source.js';
import { Housekeeping } from '../../src/housekeeping/housekeeping.service.js';
import { signedIn } from '../support/accounts.js';
import { firstAdministrator } from '../support/administration.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { APPLE_CLIENT, APPLE_REVOKE, FakeApple } from '../support/apple.js';
import { addApplication } from '../support/applications.js';
import { builtServer } from '../support/built.js';
import { nextNumber, type Client } from '../support/client.js';
import { freezeClock, passSeconds, thawClock } from '../support/clock.js';
import { eventually } from '../support/eventually.js';
import { expectFailure, expectOk } from '../support/expectations.js';
import type { Fault } from '../support/provider-server.js';
import { freePort, ServerProcess } from '../support/server-process.js';
import { decodeToken } from '../support/tokens.js';

const YEAR_SECONDS = 365 * 24 * 3600;

let apple: FakeApple;
beforeAll(async () => (apple = await FakeApple.start()));
beforeEach(() => void apple.calls.splice(0));
afterEach(() => {
  apple.recover();
  apple.assertNothingUnexpected();
});
afterAll(() => apple.close());

/** Apple's subject for a new person. */
function newSub(): string {
  return `001234.ab${nextNumber()}.0123`;
}

async function signIn(client: Client, sub: string, app_id = 'pluto'): Promise<string> {
  const answer = await client.post('/v1/user/login/apple/mobile', { code: apple.code({ sub }), app_id });
  expectOk(answer);
  return answer.body.access_token as string;
}

async function deleteAccount(client: Client, token: string): Promise<void> {
  expectOk(await client.post('/v1/user/delete', undefined, { token }), {});
}

/** A person whose account was deleted. @returns the token that Apple must revoke */
async function leave(client: Client, app_id?: string): Promise<string> {
  const sub = newSub();
  await deleteAccount(client, await signIn(client, sub, app_id));
  return apple.issuedTo(sub).at(-1)!;
}

function revocations(): Record<string, string>[] {
  return apple.calls.filter(({ path }) => path === APPLE_REVOKE).map(({ parameters }) => parameters);
}

function grantsOf(server: TestApp): Promise<AppleGrant[]> {
  return server.dataSource.manager.find(AppleGrant, { order: { id: 'ASC' } });
}

/** Lets the worker process one grant, if one is due. */
async function work(server: TestApp): Promise<void> {
  const worker = server.app.get(AppleRevocationWorker);
  worker.start();
  await worker.stop();
}

describe('a consent given at Apple', () => {
  let app: TestApp;
  beforeAll(async () => {
    freezeClock();
    app = await startTestApp({ env: apple.env });
  });
  // Forward only: cached values must not come from the future.
  afterEach(() => app.dataSource.manager.createQueryBuilder().delete().from(AppleGrant).execute());
  afterAll(async () => {
    await app.close();
    thawClock();
  });

  function bindApple(token: string, sub: string) {
    return app.client.post('/v1/user/binding', { type: 'apple', code: apple.code({ sub }) }, { token });
  }

  async function unbindApple(token: string): Promise<void> {
    expectOk(await app.client.post('/v1/user/unbinding', { type: 'apple' }, { token }), {});
  }

  describe('is revoked', () => {
    it('when the account is deleted: the newest token, in the name of the client that got it', async () => {
      const [ann, bob] = [newSub(), newSub()];
      await signIn(app.client, ann);
      await signIn(app.client, bob);
      const token = await signIn(app.client, ann);
      await deleteAccount(app.client, token);
      expect(revocations()).toEqual([]);
      await work(app);
      await work(app);
      const [, newest] = apple.issuedTo(ann);
      expect(revocations()).toEqual([
        {
          client_id: APPLE_CLIENT,
          client_secret: expect.any(String),
          token: newest,
          token_type_hint: 'refresh_token',
        },
      ]);
      expect(apple.isRevoked(newest!)).toBe(true);
      expect(apple.isRevoked(apple.issuedTo(bob)[0]!)).toBe(false);
      expect(await grantsOf(app)).toMatchObject([{ identityId: expect.any(Number), attempts: 0 }]);
      expect(app.log()).toContain('consent revoked at Apple');
    });

    it('when Apple is unbound from an account that now has a mail', async () => {
      const sub = newSub();
      const token = await signIn(app.client, sub);
      const mail = `user${nextNumber()}@example.com`;
      expectOk(await app.client.post('/v1/user/binding', { type: 'mail', mail }, { token }));
      const unbind = () => app.client.post('/v1/user/unbinding', { type: 'apple' }, { token });
      expectFailure(await unbind(), 403, 2010);
      await work(app);
      expect(revocations()).toEqual([]);

      await app.client.submit(await app.mailbox.linkTo(mail));
      await unbindApple(token);
      await work(app);
      expect(apple.isRevoked(apple.issuedTo(sub)[0]!)).toBe(true);
      expect(await grantsOf(app)).toEqual([]);
    });

    it('when Apple was bound and is unbound', async () => {
      const { token } = await signedIn(app);
      const sub = newSub();
      expectOk(await bindApple(token, sub), {});
      await unbindApple(token);
      await work(app);
      expect(revocations().map((sent) => sent.token)).toEqual(apple.issuedTo(sub));
      expect(await grantsOf(app)).toEqual([]);
    });

    it('not if the same person has consented again meanwhile, which it would revoke too', async () => {
      const { token } = await signedIn(app);
      const sub = newSub();
      expectOk(await bindApple(token, sub), {});
      await unbindApple(token);
      expectOk(await bindApple(token, sub), {});
      await work(app);
      expect(revocations()).toEqual([]);
      await unbindApple(token);
      await work(app);
      const [, second] = apple.issuedTo(sub);
      expect(revocations().map((sent) => sent.token)).toEqual([second]);
      expect(await grantsOf(app)).toEqual([]);
    });

    it('again, when the server stopped before it recorded the acknowledgement', async () => {
      await leave(app.client);
      const due = await app.app.get(AppleGrantsService).takeDue();
      await app.app.get(AppleProvider).revoke({ id: due!.applicationId, name: 'pluto' }, due!);
      expect(apple.isRevoked(due!.refreshToken)).toBe(true);
      await work(app);
      expect(revocations()).toHaveLength(1);
      passSeconds(15);
      await work(app);
      expect(revocations().map((sent) => sent.token)).toEqual([due!.refreshToken, due!.refreshToken]);
      expect(await grantsOf(app)).toEqual([]);
    });
  });

  describe('stays', () => {
    it('while the account exists, whatever worker and housekeeping do', async () => {
      const sub = newSub();
      await signIn(app.client, sub);
      const bound = await grantsOf(app);
      expect(bound).toHaveLength(1);
      for (const seconds of [0, 3600, YEAR_SECONDS]) {
        passSeconds(seconds);
        await work(app);
        await app.app.get(Housekeeping).run();
      }
      expect(await grantsOf(app)).toEqual(bound);
      expect(revocations()).toEqual([]);
      expect(apple.isRevoked(apple.issuedTo(sub)[0]!)).toBe(false);
    });

    it('when the deletion of the account is refused', async () => {
      const sub = newSub();
      const { token } = await firstAdministrator(app);
      expectOk(await bindApple(token, sub), {});
      expectFailure(await app.client.post('/v1/user/delete', undefined, { token }), 403, 1002);
      await work(app);
      expect(revocations()).toEqual([]);
      expect(await grantsOf(app)).toMatchObject([{ identityId: expect.any(Number) }]);
      const idOf = (accessToken: string) => decodeToken(accessToken).claims.sub;
      expect(idOf(await signIn(app.client, sub))).toBe(idOf(token));
      await unbindApple(token);
    });
  });

  describe('that Apple does not revoke', () => {
    it.each<[string, Fault, string]>([
      [
        'is down',
        { status: 503, contentType: 'text/html', body: '<h1>Sorry</h1>' },
        'failed with status 503',
      ],
      ['rejects our client', { status: 400, body: { error: 'invalid_client' } }, '400 invalid_client'],
      ['sends us elsewhere', 'redirect', 'failed with status 302'],
      ['hangs up', 'drop', 'no response'],
      ['does not end', 'huge', 'no response'],
    ])('is kept with the reason, if Apple %s', async (_what, fault, reason) => {
      apple.fail(APPLE_REVOKE, fault);
      const token = await leave(app.client);
      const start = app.log().length;
      await work(app);
      expect(await grantsOf(app)).toMatchObject([
        { identityId: null, attempts: 1, lastError: expect.stringMatching(`^Apple: .*${reason}`) },
      ]);
      expect(app.log().slice(start)).toContain(reason);
      apple.recover();
      passSeconds(15);
      await work(app);
      expect(apple.isRevoked(token)).toBe(true);
      expect(await grantsOf(app)).toEqual([]);
    });

    it('is retried with growing pauses, without limit', async () => {
      apple.fail(APPLE_REVOKE, { status: 503 });
      const token = await leave(app.client);
      const days = Array<number>(48).fill(3600);
      let attempts = 0;
      for (const pause of [0, 15, 60, 300, 900, ...days]) {
        passSeconds(pause - 1);
        await work(app);
        expect(revocations()).toHaveLength(attempts);
        passSeconds(1);
        await work(app);
        expect(revocations()).toHaveLength(++attempts);
      }
      expect(await grantsOf(app)).toMatchObject([{ attempts }]);
      await app.app.get(Housekeeping).run();
      apple.recover();
      passSeconds(3600);
      await work(app);
      expect(apple.isRevoked(token)).toBe(true);
      expect(await grantsOf(app)).toEqual([]);
    });

    it('does not block the others', async () => {
      apple.fail(APPLE_REVOKE, { status: 503 }, 1);
      const tokens = [await leave(app.client), await leave(app.client)];
      await work(app);
      await work(app);
      expect(tokens.map((token) => apple.isRevoked(token))).toEqual([false, true]);
    });

    it("keeps secrets and Apple's responses out of log, reason and database", async () => {
      const token = await leave(app.client);
      apple.fail(APPLE_REVOKE, { status: 400, body: { error: token, error_description: token } }, 1);
      await work(app);
      passSeconds(15);
      apple.fail(APPLE_REVOKE, { status: 400, contentType: 'text/plain', body: `no ${token}` }, 1);
      await work(app);
      const rows = JSON.stringify(await app.dataSource.query('SELECT * FROM apple_grants'));
      passSeconds(60);
      await work(app);
      expect(apple.isRevoked(token)).toBe(true);
      const [, ...keyLines] = apple.env.APPLE_PRIVATE_KEY.trim().split('\n').slice(0, -1);
      const secrets = [token, ...revocations().map((sent) => sent.client_secret!), ...keyLines];
      for (const secret of secrets) for (const text of [app.log(), rows]) expect(text).not.toContain(secret);
    });
  });
});

describe('a consent given at Apple to an application with its own account', () => {
  let app: TestApp;
  beforeAll(async () => {
    freezeClock();
    app = await startTestApp({ env: { APPLE_BASE_URL: apple.url } });
  });
  afterAll(async () => {
    await app.close();
    thawClock();
  });

  async function addShop() {
    const { APPLE_TEAM_ID, APPLE_KEY_ID, APPLE_CLIENT_ID, APPLE_PRIVATE_KEY } = apple.env;
    const shop = await addApplication(app, { name: `org.example.shop${nextNumber()}` });
    const set = async (settings: object) => {
      const admin = await firstAdministrator(app);
      expectOk(await admin.put('/v1/rbac/application/settings', { app_id: shop.id, ...settings }));
    };
    const settings = {
      apple_team_id: APPLE_TEAM_ID,
      apple_key_id: APPLE_KEY_ID,
      apple_client_id: APPLE_CLIENT_ID,
      apple_private_key: APPLE_PRIVATE_KEY,
    };
    await set(settings);
    return { name: shop.name, set, settings };
  }

  it('is revoked with the client that got it, whatever client is configured now', async () => {
    const { name, set } = await addShop();
    const sub = newSub();
    const token = await signIn(app.client, sub, name);
    await set({ apple_client_id: 'org.example.renamed' });
    await deleteAccount(app.client, token);
    await work(app);
    expect(revocations()).toMatchObject([{ client_id: APPLE_CLIENT, token: apple.issuedTo(sub)[0] }]);
    expect(decodeJwt(revocations()[0]!.client_secret!).sub).toBe(APPLE_CLIENT);
    expect(apple.isRevoked(apple.issuedTo(sub)[0]!)).toBe(true);
  });

  it('is kept while that account is not configured, and revoked when it is again', async () => {
    const { name, set, settings } = await addShop();
    const token = await leave(app.client, name);
    await set(Object.fromEntries(Object.keys(settings).map((setting) => [setting, ''])));
    for (const pause of [0, 15, 60]) {
      passSeconds(pause);
      await work(app);
    }
    expect(revocations()).toEqual([]);
    expect(await grantsOf(app)).toMatchObject([
      { attempts: 3, lastError: expect.stringContaining('Apple is not configured') },
    ]);
    await set(settings);
    passSeconds(300);
    await work(app);
    expect(apple.isRevoked(token)).toBe(true);
    expect(await grantsOf(app)).toEqual([]);
  });
});

// Passport's strategies are global: tokens are verified by the server that was started last.
describe('a consent given at Apple that several servers know', () => {
  let first: TestApp;
  let second: TestApp | undefined;
  beforeEach(async () => (first = await startTestApp({ env: apple.env })));
  afterEach(async () => {
    await second?.stop();
    second = undefined;
    await first.close();
  });

  it('is revoked after a restart, if the first server stopped before it could', async () => {
    const token = await leave(first.client);
    await first.stop();
    expect(apple.isRevoked(token)).toBe(false);
    second = await startTestApp({ env: apple.env, on: first });
    await work(second);
    expect(apple.isRevoked(token)).toBe(true);
  });

  it('is revoked once by two running servers', async () => {
    const tokens = await Promise.all(Array.from({ length: 20 }, () => leave(first.client)));
    second = await startTestApp({ env: apple.env, on: first });
    const workers = [first, second].map((server) => server.app.get(AppleRevocationWorker));
    workers.forEach((worker) => worker.start());
    try {
      await eventually(async () => (await grantsOf(first)).length === 0, 'the revocations');
    } finally {
      await Promise.all(workers.map((worker) => worker.stop()));
    }
    const sent = revocations().map(({ token }) => token);
    expect(sent).toHaveLength(tokens.length);
    expect(new Set(sent)).toEqual(new Set(tokens));
    expect(first.log() + second.log()).not.toContain('"level":"error"');
  });
});

describe('a server process', () => {
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'pluto-process-'));
    await builtServer();
  }, 180_000);
  afterAll(async () => {
    await ServerProcess.killAll();
    rmSync(folder, { recursive: true });
  });

  it('revokes on its own, and stops at SIGTERM while Apple does not answer', async () => {
    const server = await ServerProcess.start(folder, { ...apple.env, PORT: await freePort() });
    const client = await server.ready();
    // The first one is acknowledged.
    apple.fail(APPLE_REVOKE, { status: 200 }, 1);
    apple.fail(APPLE_REVOKE, 'hang');
    const tokens = [await leave(client), await leave(client)];
    await eventually(() => apple.countOf(APPLE_REVOKE) === 2, 'the second revocation', 20_000);
    expect(revocations().map((sent) => sent.token)).toEqual(tokens);

    expect(await server.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    expect(server.output).not.toContain('shutdown timed out');
    for (const token of tokens) expect(server.output).not.toContain(token);

    const path = join(folder, 'data/pluto.db');
    const dataSource = new PlutoDataSource(dataSourceOptions({ kind: 'sqlite', path }, [], []));
    await dataSource.initialize();
    const rows = await dataSource.query('SELECT identity_id, attempts, last_error FROM apple_grants');
    await dataSource.destroy();
    const last_error = expect.stringContaining('no response from') as string;
    expect(rows).toEqual([{ identity_id: null, attempts: 1, last_error }]);
  });
});
