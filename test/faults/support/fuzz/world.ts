import {
  firstAdministrator,
  addAdministrator,
  strangersTokens,
  type Caller,
  type Stranger,
} from '../../../support/administration.js';
import { openSession } from '../../../support/sessions.js';
import { login, addAccount, type TestAccount } from '../../../support/accounts.js';
import { startTestApp, type TestApp } from '../../../support/app.js';
import { FakeApple } from '../../../support/apple.js';
import { addApplication, type TestApplication } from '../../../support/applications.js';
import { FakeGoogle } from '../../../support/google.js';
import { addClient, Browser, getTokens, type TestOAuthClient } from '../../../support/oauth.js';
import { FakeWechat } from '../../../support/wechat.js';

/** One password for all, so that whoever resets one to it takes nothing away. */
export const PASSWORD = 'correct horse of the fuzz';
const RETURN_URL = 'https://fuzz.example/signed-in';
const KEPT = 60;

export interface KnownAccount extends Omit<TestAccount, 'name'> {
  id: number;
  accessToken: string;
}

export interface Session {
  accessToken: string;
  refreshToken: string;
  app_id: string;
  client: TestOAuthClient | null;
}

/** A form as a browser holds it. */
export interface OpenedForm {
  path: string;
  cookie: string;
  fields: Record<string, string>;
}

/** Everything real that requests can name: made at the start, and gathered from the answers from then on. */
export class World {
  readonly applications: TestApplication[] = [];
  /**
   * Those whose providers are set: nobody signs in there, since no provider knows the accounts that are made
   * up.
   */
  readonly configurable: TestApplication[] = [];
  readonly accounts: KnownAccount[] = [];
  readonly unverified: string[] = [];
  readonly sessions: Session[] = [];
  /** Accounts that came by a provider: the ones that are deleted. */
  readonly mortals: Session[] = [];
  /** Sessions that another session of their account may end. */
  readonly endable: { account: KnownAccount; id: string }[] = [];
  /** Who has a second way to sign in. */
  readonly bound: KnownAccount[] = [];
  readonly clients: TestOAuthClient[] = [];
  readonly newClients: string[] = [];
  readonly pages: { cookie: string; app_id: string }[] = [];
  readonly codes: { code: string; client: TestOAuthClient }[] = [];
  readonly verifyLinks: string[] = [];
  readonly resetLinks: string[] = [];
  readonly changeLinks: string[] = [];
  readonly undoLinks: string[] = [];
  readonly forms = {
    authorize: [] as OpenedForm[],
    login: [] as OpenedForm[],
    verify: [] as OpenedForm[],
    reset: [] as OpenedForm[],
    change: [] as OpenedForm[],
    undo: [] as OpenedForm[],
  };
  readonly wechatStates: string[] = [];
  strangers!: Record<Stranger, string | undefined>;
  clientToken!: string;
  admin!: Caller;
  private counter = 0;

  private constructor(
    readonly app: TestApp,
    readonly google: FakeGoogle,
    readonly apple: FakeApple,
    readonly wechat: FakeWechat,
  ) {}

  static async make(): Promise<World> {
    const [google, apple, wechat] = await Promise.all([
      FakeGoogle.start(),
      FakeApple.start(),
      FakeWechat.start(),
    ]);
    const env = {
      ...google.env,
      ...apple.env,
      ...wechat.env,
      WECHAT_WEB_REDIRECT_URLS: RETURN_URL,
      // Few accounts ask for many mails, whose links the requests need.
      RATE_LIMITS: 'mail-recipient=1000/60,mail-mailbox=1000/60',
    };
    const world = new World(await startTestApp({ env }), google, apple, wechat);
    await world.fill();
    return world;
  }

  async close(): Promise<void> {
    await this.app.close();
    await Promise.all([this.google.close(), this.apple.close(), this.wechat.close()]);
  }

  /** The accounts that have signed in. */
  get users(): KnownAccount[] {
    return this.accounts.filter(({ accessToken }) => accessToken !== '');
  }

  /** A text that nothing else has. */
  fresh(): string {
    return `fuzz${++this.counter}`;
  }

  /** Adds, and forgets the oldest where there are many. */
  keep<T>(list: T[], one: T): void {
    list.push(one);
    if (list.length > KEPT) list.splice(0, list.length - KEPT);
  }

  /** Signs some accounts in again without hashing a password, since a password reset ends the sessions. */
  async renewSessions(): Promise<void> {
    for (let count = 0; count < 3; count++) {
      const account = this.users[this.counter++ % this.users.length]!;
      const { id, app_id } = account;
      const { accessToken, refreshToken } = await openSession(this.app, id, app_id);
      account.accessToken = accessToken;
      this.keep(this.sessions, { accessToken, refreshToken, app_id, client: null });
    }
  }

  /** Another administrator, since requests may take the role from one. */
  async renewAdministrator(): Promise<void> {
    this.admin = await addAdministrator(this.app);
  }

  private async fill(): Promise<void> {
    // A crash of the machine is not tested here, and waiting for the disk would take most of the time.
    if (this.app.settings.database.kind === 'sqlite')
      await this.app.dataSource.query('PRAGMA synchronous = OFF');
    this.strangers = await strangersTokens(this.app, await firstAdministrator(this.app));
    await this.renewAdministrator();
    const roles = { member: ['read', 'write'], editor: ['read', 'edit'] };
    for (const name of ['org.fuzz.one', 'org.fuzz.two'])
      this.applications.push(await addApplication(this.app, { name, roles }));
    this.configurable.push(await addApplication(this.app, { name: 'org.fuzz.configurable', roles }));
    for (let count = 0; count < 3; count++) this.clients.push(await addClient(this.app));
    for (const app_id of ['org.fuzz.one', 'org.fuzz.two', 'pluto'])
      for (let count = 0; count < 3; count++) await this.addAccount(app_id);
    const [client] = this.clients;
    this.clientToken = (
      await getTokens(this.app, client!, { grant_type: 'client_credentials', app_id: 'pluto' })
    ).access_token;
  }

  private async addAccount(app_id: string): Promise<void> {
    const account = await addAccount(this.app, { app_id, password: PASSWORD });
    const tokens = await login(this.app, account);
    const { body } = await this.app.client.get('/v1/user/info', { token: tokens.access_token });
    this.accounts.push({ ...account, id: (body as { sub: number }).sub, accessToken: tokens.access_token });
    this.sessions.push({
      accessToken: tokens.access_token,
      refreshToken: tokens.refresh_token,
      app_id,
      client: null,
    });
    const { pageSession } = await Browser.signIn(this.app, account);
    this.pages.push({ cookie: `access_token=${pageSession}`, app_id });
  }
}
