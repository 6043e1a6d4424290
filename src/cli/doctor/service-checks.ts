import { isRedisRefusal } from '../../limits/limit-stores.service.js';
import type { Settings } from '../../config/settings.js';
import { failed, type Finding, ok, reasonOf, warning } from './finding.js';

const PATIENCE_MS = 5000;

/** Connects to the mail server, encrypts and signs in as for a mail, and sends none. */
export async function checkSmtp({ smtpUrl }: Settings): Promise<Finding> {
  const name = 'smtp';
  if (smtpUrl === undefined)
    return warning(
      name,
      'SMTP_URL is unset, mails are written to files',
      'set SMTP_URL and MAIL_FROM to send them',
    );
  const { createTransport } = await import('nodemailer');
  const server = new URL(smtpUrl.url).host;
  const times = { connectionTimeout: PATIENCE_MS, greetingTimeout: PATIENCE_MS, socketTimeout: PATIENCE_MS };
  const transport = createTransport({ url: smtpUrl.url, requireTLS: smtpUrl.requireTls, ...times } as object);
  try {
    await transport.verify();
    return ok(name, `${server} accepts mails`);
  } catch (error) {
    const { code, responseCode } = error as { code?: string; responseCode?: number };
    const remedies: Record<string, string> = {
      EAUTH: 'correct user and password in SMTP_URL',
      ETLS: 'use a server with STARTTLS, or see tls=optional in docs/operations.md',
    };
    // What the server answers may repeat the credentials; its code does not.
    const reason = [code, responseCode].filter((part) => part !== undefined).join(' ') || 'no answer';
    return failed(
      name,
      `${server} cannot be used (${reason})`,
      remedies[code ?? ''] ?? 'start it, or correct SMTP_URL',
    );
  } finally {
    transport.close();
  }
}

export async function checkRedis({ redisUrl }: Settings): Promise<Finding | null> {
  if (redisUrl === undefined) return null;
  const { Redis } = await import('ioredis');
  const server = new URL(redisUrl).host;
  const redis = new Redis(redisUrl, {
    lazyConnect: true,
    retryStrategy: () => null,
    connectTimeout: PATIENCE_MS,
    commandTimeout: PATIENCE_MS,
    maxRetriesPerRequest: 0,
  });
  let heard: Error | null = null;
  redis.on('error', (error: Error) => (heard = error));
  try {
    await redis.connect();
    await redis.ping();
    return ok('redis', `${server} answers`);
  } catch (error) {
    const reason = reasonOf(heard ?? error);
    return isRedisRefusal(reason)
      ? failed('redis', `${server} refuses the user or password`, 'correct REDIS_URL')
      : failed('redis', `${server} is unreachable (${reason})`, 'start it, or correct REDIS_URL');
  } finally {
    redis.disconnect();
  }
}

/**
 * Asks for the keys at PUBLIC_URL, as any client does: they show whether it leads to a server of this
 * database.
 * @param keyIds the signing keys of the database; null if they are not known
 */
export async function checkPublicUrl({ publicUrl }: Settings, keyIds: string[] | null): Promise<Finding> {
  const name = 'public_url';
  const remedy = 'start the server, check proxy and DNS, or correct PUBLIC_URL';
  let published: string[];
  try {
    const response = await fetchFrom(`${publicUrl}/.well-known/jwks.json`);
    if (response.status !== 200)
      return failed(name, `${publicUrl} answers ${response.status} where Pluto has its keys`, remedy);
    const { keys } = (await response.json()) as { keys: { kid: string }[] };
    published = keys.map(({ kid }) => kid);
  } catch (error) {
    return failed(name, `${publicUrl} is unreachable or not Pluto (${reasonOf(error)})`, remedy);
  }
  if (keyIds !== null && !published.some((kid) => keyIds.includes(kid)))
    return failed(
      name,
      `${publicUrl} leads to a server of another database`,
      'correct PUBLIC_URL or DATABASE_URL',
    );
  if (!isSafe(publicUrl))
    return warning(
      name,
      `${publicUrl} leads to this server, in clear text`,
      'put a proxy with TLS in front of it',
    );
  return ok(name, `${publicUrl} leads to this server`);
}

/** Without TRUST_PROXY all callers behind a proxy share its address, and its limits. */
export function checkProxy({ publicUrl, trustProxy }: Settings): Finding | null {
  if (!publicUrl.startsWith('https:')) return null;
  return trustProxy.length > 0
    ? ok('trust_proxy', `TRUST_PROXY names ${trustProxy.join(', ')}`)
    : warning(
        'trust_proxy',
        'PUBLIC_URL is https: but TRUST_PROXY is unset',
        'name the proxy that terminates TLS',
      );
}

export async function checkProviders({ google, apple, wechat }: Settings): Promise<Finding[]> {
  const used: [name: string, url: string][] = [];
  if (google.clientIds.length > 0) used.push(['google', google.jwksUrl]);
  if (apple.clientId !== undefined) used.push(['apple', `${apple.baseUrl}/auth/keys`]);
  if (wechat.appId !== undefined || wechat.webAppId !== undefined) used.push(['wechat', wechat.apiUrl]);
  return Promise.all(used.map(([name, url]) => checkProvider(name, url)));
}

async function checkProvider(name: string, url: string): Promise<Finding> {
  const { host } = new URL(url);
  const remedy = 'allow HTTPS connections to it from this machine, or try again later';
  try {
    const { status } = await fetchFrom(url);
    return status < 500 ? ok(name, `${host} answers`) : failed(name, `${host} answers ${status}`, remedy);
  } catch (error) {
    return failed(name, `${host} is unreachable (${reasonOf(error)})`, remedy);
  }
}

function fetchFrom(url: string): Promise<Response> {
  return fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(PATIENCE_MS) });
}

function isSafe(publicUrl: string): boolean {
  const { protocol, hostname } = new URL(publicUrl);
  return (
    protocol === 'https:' || hostname === 'localhost' || hostname === '127.0.0.1' || hostname === '[::1]'
  );
}
