import type { FuzzRequest } from './fuzz-request.js';
import type { FuzzAnswer } from './http-caller.js';
import { PASSWORD, type OpenedForm, type World } from './world.js';

type Fields = Record<string, unknown>;

/** Gathers what an answer gives for later requests to name. */
export function harvest(world: World, route: string, request: FuzzRequest, answer: FuzzAnswer): void {
  const isHtml = answer.headers['content-type']?.startsWith('text/html') ?? false;
  if (answer.status === 200 && isHtml && request.method === 'GET') harvestForms(world, request, answer);
  if (answer.status === 302) harvestRedirect(world, request, answer.headers);
  if (answer.status !== 200 || isHtml || answer.text === '') return;
  // A key set has no envelope.
  const { body } = JSON.parse(answer.text) as { body?: Fields };
  if (body === undefined) return;
  const sent = sentFields(request);
  harvestTokens(world, route, request, body, sent);
  harvesters[route]?.(world, { body, sent, request });
}

interface Success {
  body: Fields;
  sent: Fields;
  request: FuzzRequest;
}

const harvesters: Record<string, (world: World, success: Success) => void> = {
  'POST /v1/user/register': (world, { sent }) => {
    if (sent.password !== PASSWORD) return;
    const { mail, user_id, app_id } = sent as { mail: string; user_id: string; app_id: string };
    if (!['org.fuzz.one', 'org.fuzz.two'].includes(app_id)) return;
    world.keep(world.unverified, mail);
    world.accounts.push({ mail, user_id, app_id, password: PASSWORD, id: 0, accessToken: '' });
  },
  'POST /v1/user/binding': (world, { sent, request: { scene } }) => {
    if (sent.type === 'google' && scene.account) world.keep(world.bound, scene.account);
  },
  'PUT /v1/user/info': (_world, { sent, request: { scene } }) => {
    if (typeof sent.user_id === 'string' && scene.account && scene.authorization === tokenOf(scene))
      scene.account.user_id = sent.user_id;
  },
  'GET /v1/user/session/list': (world, { body, request: { scene } }) => {
    const { account } = scene;
    if (!account || scene.authorization !== tokenOf(scene)) return;
    const other = (body.sessions as { id: string; current: boolean }[]).find(({ current }) => !current);
    if (other) world.keep(world.endable, { account, id: other.id });
  },
  'GET /v1/user/login/wechat/web': (world, { body }) => {
    if (typeof body.state === 'string') world.keep(world.wechatStates, body.state);
  },
  'POST /v1/oauth/client': (world, { body }) => world.keep(world.newClients, String(body.key)),
  'POST /v1/rbac/role/create': (world, { body }) => {
    const application = world.applications.find(({ id }) => id === body.app_id);
    if (application) application.roles[String(body.name)] = Number(body.id);
  },
  'POST /v1/rbac/scope/create': (world, { body }) => {
    const application = world.applications.find(({ id }) => id === body.app_id);
    if (application) application.scopes[String(body.name)] = Number(body.id);
  },
  'POST /web/authorize': (world, { body, request }) => harvestCode(world, request, String(body.redirect_uri)),
};

function tokenOf({ account }: FuzzRequest['scene']): string {
  return `Bearer ${account?.accessToken}`;
}

function harvestTokens(
  world: World,
  route: string,
  { scene }: FuzzRequest,
  body: Fields,
  sent: Fields,
): void {
  const { access_token: accessToken, refresh_token: refreshToken } = body;
  if (typeof accessToken !== 'string' || typeof refreshToken !== 'string' || refreshToken === '') return;
  const app_id = claimsOf(accessToken).iss;
  const session = { accessToken, refreshToken, app_id, client: scene.client ?? null };
  world.keep(/google|apple|wechat/.test(route) ? world.mortals : world.sessions, session);
  if (route === 'POST /v1/user/login/account' && scene.account && sent.app_id === scene.account.app_id) {
    scene.account.accessToken = accessToken;
    scene.account.id = claimsOf(accessToken).sub;
  }
}

function claimsOf(token: string): { sub: number; iss: string } {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
    sub: number;
    iss: string;
  };
}

function sentFields({ body }: FuzzRequest): Fields {
  try {
    const text = body?.toString() ?? '';
    return text.startsWith('{')
      ? (JSON.parse(text) as Fields)
      : Object.fromEntries(new URLSearchParams(text));
  } catch {
    return {};
  }
}

function harvestRedirect(world: World, request: FuzzRequest, headers: FuzzAnswer['headers']): void {
  const { location = '' } = headers;
  harvestCode(world, request, location);
  const state = /qrconnect.*[?&]state=(\w+)/.exec(location)?.[1];
  if (state) world.keep(world.wechatStates, state);
  const session = cookiesOf(headers).find((cookie) => /^access_token=./.test(cookie));
  const { app_id } = sentFields(request);
  if (session && typeof app_id === 'string') world.keep(world.pages, { cookie: session, app_id });
}

function harvestCode(world: World, { scene: { client } }: FuzzRequest, location: string): void {
  const code = /[?&]code=([^&]+)/.exec(location)?.[1];
  if (code && client && location.startsWith(client.redirectUri))
    world.keep(world.codes, { code: decodeURIComponent(code), client });
}

const kinds = {
  authorize: /^\/web\/authorize$/,
  login: /^\/web\/login$/,
  verify: /^\/web\/mail\/verify\//,
  reset: /^\/web\/password\/reset\//,
  change: /^\/web\/mail\/change\/(?!undo\/)/,
  undo: /^\/web\/mail\/change\/undo\//,
};

function harvestForms(world: World, { headers }: FuzzRequest, answer: FuzzAnswer): void {
  const form = /<form[^>]*action="([^"]*)"[^>]*>.*?<\/form>/s.exec(answer.text);
  const path = form?.[1] ?? '';
  const hidden = [...(form?.[0] ?? '').matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)];
  const cookie = [headers.cookie, ...cookiesOf(answer.headers)].filter(Boolean).join('; ');
  const fields = Object.fromEntries(hidden.map(([, name = '', value = '']) => [name, unescapeHtml(value)]));
  const opened: OpenedForm = { path, cookie, fields };
  for (const [kind, pattern] of Object.entries(kinds))
    if (pattern.test(path)) world.keep(world.forms[kind as keyof typeof kinds], opened);
}

function cookiesOf(headers: FuzzAnswer['headers']): string[] {
  return (headers['set-cookie'] ?? []).map((cookie) => cookie.split(';', 1)[0] ?? '');
}

const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"' };

function unescapeHtml(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]+)|(\w+));/gi, (whole, hex?: string, name = '') =>
    hex ? String.fromCodePoint(parseInt(hex, 16)) : (entities[name as string] ?? whole),
  );
}

/**
 * Reads the links of mails off the log, where a server without SMTP tells them. @returns up to where it has
 * read
 */
export function harvestLinks(world: World, from: number): number {
  const log = world.app.log();
  const lists: Record<string, string[]> = {
    'mail/verify': world.verifyLinks,
    'password/reset': world.resetLinks,
    'mail/change': world.changeLinks,
    'mail/change/undo': world.undoLinks,
  };
  for (const [, kind = '', token = ''] of log
    .slice(from)
    .matchAll(/\/web\/(mail\/verify|password\/reset|mail\/change\/undo|mail\/change)\/([\w-]{20,})/g))
    world.keep(lists[kind]!, token);
  return log.length;
}
