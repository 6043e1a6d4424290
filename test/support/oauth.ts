import { createHash } from 'node:crypto';
import { ApplicationsService } from '../../src/applications/applications.service.js';
import { PLUTO } from '../../src/applications/pluto-names.js';
import { ClientApplicationsService } from '../../src/oauth/client-applications.service.js';
import { ClientsService } from '../../src/oauth/clients.service.js';
import type { ClientStatus } from '../../src/oauth/oauth-client.entity.js';
import type { Tokens } from './accounts.js';
import type { TestApp } from './app.js';
import { nextNumber, type Answer, type Client } from './client.js';
import { expectOk } from './expectations.js';
import { NOBODYS_REQUEST } from './request-context.js';
import { addUser } from './users.js';

export const FORM = 'application/x-www-form-urlencoded';

export interface TestOAuthClient {
  key: string;
  secret: string;
  redirectUri: string;
}

/**
 * Registers a client straight with the service; an approved one, unless told otherwise.
 * @param change.applications that it belongs to in addition to `pluto`
 */
export async function addClient(
  app: TestApp,
  {
    status = 'approved',
    applications = [],
    ...change
  }: Partial<TestOAuthClient & { status: ClientStatus; applications: string[] }> = {},
): Promise<TestOAuthClient> {
  const number = nextNumber();
  const client = {
    key: `desk${number}`,
    secret: `secret of desk ${number}`.replaceAll(' ', '-'),
    redirectUri: `https://desk${number}.example/back`,
    ...change,
  };
  const clients = app.app.get(ClientsService);
  const { id: applicationId } = await app.app.get(ApplicationsService).getByName(PLUTO.application);
  await clients.create({ ...client, applicationId, userId: await addUser(app, {}) }, NOBODYS_REQUEST);
  const names = [PLUTO.application, ...applications];
  await app.app.get(ClientApplicationsService).replace(client.key, names, NOBODYS_REQUEST);
  if (status !== 'pend') await clients.setStatus(client.key, status, NOBODYS_REQUEST);
  return client;
}

/** `Authorization` as RFC 6749 section 2.3.1 has it: both parts form-encoded. */
export function basic({ key, secret }: Pick<TestOAuthClient, 'key' | 'secret'>): string {
  const encoded = [key, secret].map((part) => new URLSearchParams({ '': part }).toString().slice(1));
  return rawBasic(encoded.join(':'));
}

/** `Authorization` with any text for credentials. */
export function rawBasic(text: string): string {
  return `Basic ${Buffer.from(text).toString('base64')}`;
}

export type Fields = Record<string, string | undefined>;

/** Asks for tokens as clients do: a form, the client by HTTP Basic. An undefined field is left out. */
export function askTokens(app: TestApp, client: TestOAuthClient | null, fields: Fields): Promise<Answer> {
  const sent = Object.entries(fields).filter((field): field is [string, string] => field[1] !== undefined);
  return app.client.request('POST', '/v1/oauth/tokens', {
    headers: { 'content-type': FORM, ...(client && { authorization: basic(client) }) },
    body: new URLSearchParams(sent).toString(),
  });
}

export async function getTokens(app: TestApp, client: TestOAuthClient, fields: Fields): Promise<Tokens> {
  const answer = await askTokens(app, client, fields);
  expectOk(answer);
  return answer.body as Tokens;
}

export function exchangeOf({ redirectUri }: TestOAuthClient, code: string, change: Fields = {}): Fields {
  return { grant_type: 'authorization_code', code, redirect_uri: redirectUri, ...change };
}

/** A verifier and its challenge (RFC 7636). */
export function makePkce(): { verifier: string; request: Fields } {
  const verifier = `verifier-${nextNumber()}-`.padEnd(43, '~.x');
  const code_challenge = createHash('sha256').update(verifier).digest('base64url');
  return { verifier, request: { code_challenge, code_challenge_method: 'S256' } };
}

/** A browser that is signed in to the pages of one application, and allows what clients ask for. */
export class Browser {
  private readonly cookies = new Map<string, string>();

  private constructor(
    private readonly client: Client,
    private readonly appId: string,
  ) {}

  static async signIn(
    app: TestApp,
    { mail, password, app_id }: { mail: string; password: string; app_id: string },
  ): Promise<Browser> {
    const browser = new Browser(app.client, app_id);
    const path = `/web/login?${new URLSearchParams({ app_id }).toString()}`;
    await browser.submit(path, { account: mail, password });
    if (browser.pageSession === '') throw new Error('signing in failed');
    return browser;
  }

  /** What the cookie of the page session holds. */
  get pageSession(): string {
    return this.cookies.get('access_token') ?? '';
  }

  /** Gives the client what it asks for. @returns where the browser is sent, with what the client is told */
  async consent(client: TestOAuthClient, change: Fields = {}): Promise<URL> {
    const parameters = {
      client_id: client.key,
      app_id: this.appId,
      redirect_uri: client.redirectUri,
      response_type: 'code',
      ...change,
    };
    const sent = Object.entries(parameters).filter((one): one is [string, string] => one[1] !== undefined);
    return this.allow(`/web/authorize?${new URLSearchParams(sent).toString()}`);
  }

  /** Opens the consent page at that address and presses its first button. */
  async allow(path: string): Promise<URL> {
    const answer = await this.submit(path);
    const location = answer.headers.get('location');
    if (answer.status !== 302 || !location) throw new Error(`no consent: ${answer.status} ${answer.text}`);
    return new URL(location);
  }

  async codeFor(client: TestOAuthClient, change: Fields = {}): Promise<string> {
    const { searchParams } = await this.consent(client, change);
    const code = searchParams.get('code');
    if (!code) throw new Error(`no code: ${searchParams.toString()}`);
    return code;
  }

  /** Consents and has the client fetch its tokens. */
  async tokensFor(app: TestApp, client: TestOAuthClient, change: Fields = {}): Promise<Tokens> {
    return getTokens(app, client, exchangeOf(client, await this.codeFor(client, change)));
  }

  /** Opens a page and sends its first form, which posts to the page's own path. */
  private async submit(path: string, fields: Record<string, string> = {}): Promise<Answer> {
    const page = this.keep(await this.client.page(path, this.headers()));
    const form = /<form[^>]*>.*?<\/form>/s.exec(page.text)?.[0] ?? '';
    const hidden = [...form.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)];
    const shown = Object.fromEntries(hidden.map(([, name = '', value = '']) => [name, unescapeHtml(value)]));
    return this.keep(
      await this.client.request('POST', path.split('?', 1)[0] ?? path, {
        headers: { accept: 'text/html', 'content-type': FORM, ...this.headers() },
        body: new URLSearchParams({ ...shown, ...fields }).toString(),
      }),
    );
  }

  private headers(): Record<string, string> {
    return { cookie: [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ') };
  }

  private keep(answer: Answer): Answer {
    for (const cookie of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      this.cookies.set(name, value);
    }
    return answer;
  }
}

const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"' };

function unescapeHtml(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]+)|(\w+));/gi, (whole, hex?: string, name = '') =>
    hex ? String.fromCodePoint(parseInt(hex, 16)) : (entities[name as string] ?? whole),
  );
}
