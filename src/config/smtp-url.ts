import { isIP } from 'node:net';
import { UnfitValue } from './unfit-value.js';

/** The mail server that SMTP_URL names. */
export interface SmtpServerUrl {
  /** For nodemailer, with nodemailer's options; may contain a password. */
  url: string;
  /** Whether nothing, above all no password, may be sent before the connection is encrypted. */
  requireTls: boolean;
  /** Whether the URL says by which name to greet the server. */
  isNamed: boolean;
  /** The password in each form that the server sees or the URL has. */
  secrets: string[];
}

/** Options of nodemailer that continue in clear text when TLS fails or is not offered. */
const IN_CLEAR = ['ignoreTLS', 'opportunisticTLS'];

/**
 * Reads SMTP_URL. With credentials, or to another machine, STARTTLS is required unless `tls=optional` is set:
 * an attacker in between could strip the STARTTLS offer and read the password, and links that reset
 * passwords.
 * @returns undefined if the text is not the URL of a mail server
 * @throws UnfitValue, whose message shows only option names of the URL
 * @see RFC 3207 section 6; RFC 8314 section 4.1
 */
export function parseSmtpUrl(text: string): SmtpServerUrl | undefined {
  if (/\s/.test(text) || !/^smtps?:\/\//i.test(text) || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (!url.hostname) return undefined;
  const secrets = secretsOf(url);
  const isOptional = takeTlsOption(url);
  const requireTls = !isOptional && needsTls(url);
  if (requireTls) refuseClearText(url);
  return { url: url.href, requireTls, isNamed: url.searchParams.has('name'), secrets };
}

function secretsOf({ username, password }: URL): string[] {
  if (password === '') return [];
  const [user, clear] = [decoded(username), decoded(password)];
  // AUTH LOGIN and AUTH PLAIN (RFC 4616) send base64.
  const encoded = [clear, `\0${user}\0${clear}`].map((text) => Buffer.from(text).toString('base64'));
  return [...encoded, clear, password];
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new UnfitValue('has a user name or password in which a % is not written as %25');
  }
}

/** Pluto's own option, so it is removed before nodemailer sees the URL. */
function takeTlsOption({ protocol, searchParams }: URL): boolean {
  const values = searchParams.getAll('tls');
  searchParams.delete('tls');
  if (values.length === 0) return false;
  if (values.length > 1 || values[0] !== 'optional')
    throw new UnfitValue('has a parameter tls other than tls=optional');
  if (protocol === 'smtps:')
    throw new UnfitValue('has the parameter tls=optional, which is only allowed with smtp:');
  return true;
}

function needsTls({ hostname, username, password, searchParams }: URL): boolean {
  // A well-known service of nodemailer overrides the host in the URL.
  return Boolean(username || password) || !isLoopback(hostname) || searchParams.has('service');
}

function isLoopback(hostname: string): boolean {
  const host = hostname.toLowerCase().replace(/^\[|\]$/g, '');
  if (host === 'localhost' || host === '::1') return true;
  return isIP(host) === 4 && host.startsWith('127.');
}

function refuseClearText({ searchParams }: URL): void {
  const names = IN_CLEAR.filter((name) => searchParams.has(name));
  if (searchParams.getAll('requireTLS').some((value) => value !== 'true')) names.push('requireTLS');
  if (names.length === 0) return;
  throw new UnfitValue(
    `has ${names.join(' and ')}, but TLS is required with credentials and to another machine; tls=optional allows clear text`,
  );
}
