import { isIP } from 'node:net';
import { resolve } from 'node:path';
import ipaddr from 'ipaddr.js';
import { tidyMail } from '../common/mail-addresses.js';
import { isRedirectUrl } from '../common/redirect-urls.js';
import { isApplePrivateKey, isMailbox, unfoldedPem } from '../common/text-checks.js';
import { defaultLimits, parseLimits } from './request-limits.js';
import { parseSmtpUrl } from './smtp-url.js';
import { DATABASE_URL_FORM, parseDatabaseUrl, type DatabaseSettings } from './database-url.js';

export { type DatabaseSettings };
export interface MailAddress {
  name: string;
  address: string;
}

/** What a variable must be; `parse` returns undefined, or throws UnfitValue, for a text that does not fit. */
export interface Kind<T> {
  mustBe: string;
  parse: (text: string) => T | undefined;
}

const kind = <T>(mustBe: string, parse: Kind<T>['parse']): Kind<T> => ({ mustBe, parse });
const matching = (mustBe: string, fits: (text: string) => boolean): Kind<string> =>
  kind(mustBe, (text) => (fits(text) ? text : undefined));

export const integer = (least: number, most: number): Kind<number> =>
  kind(`a whole number from ${least} to ${most}`, (text) => {
    const number = /^\d+$/.test(text) ? Number(text) : NaN;
    return number >= least && number <= most ? number : undefined;
  });
const inWords = new Intl.ListFormat('en-GB', { type: 'disjunction' });

export const oneOf = <const T extends string>(...words: T[]): Kind<T> =>
  kind(inWords.format(words), (text) => words.find((word) => word === text));

function parseUrl(text: string, ...schemes: string[]): URL | undefined {
  if (/\s/.test(text) || !/^[a-z]+:\/\//i.test(text) || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  return schemes.includes(url.protocol) && url.hostname ? url : undefined;
}

function parseHttpUrl(text: string): URL | undefined {
  const url = parseUrl(text, 'http:', 'https:');
  return url && !url.username && !url.password && !text.includes('#') ? url : undefined;
}

/** Schemes for which browsers make no origin from the host. */
const SCHEMES_WITHOUT_ORIGIN = /^(?:about|blob|data|file|ftp|javascript|wss?):/i;

/**
 * Also origins of apps, such as capacitor://localhost. Origins are compared whole, so a wildcard would match
 * none.
 */
function parseOrigin(text: string): string | undefined {
  if (text === '*') return text;
  const [, host] = /^[a-z][a-z\d+.-]*:\/\/([^\s/?#@\\]+)$/i.exec(text) ?? [];
  if (!host || !URL.canParse(text) || SCHEMES_WITHOUT_ORIGIN.test(text)) return undefined;
  const { origin: serialized, protocol, hostname, host: hostAndPort } = new URL(text);
  if (!/^(?:\[[\da-f:.]+\]|[\w.-]+)$/i.test(hostname)) return undefined;
  // For other schemes `URL.origin` is `null`, but web views send scheme and host.
  return /^https?:$/.test(protocol) ? serialized : `${protocol}//${hostAndPort.toLowerCase()}`;
}

function isAddressOrCidr(text: string): boolean {
  return isIP(text) > 0 || ipaddr.IPv4.isValidCIDRFourPartDecimal(text) || ipaddr.IPv6.isValidCIDR(text);
}

function isMail(text: string): boolean {
  return text.length <= 254 && /^[^\s@<>",;:]+@[^\s@<>",;:]+$/.test(text);
}

function parseMailbox(text: string): MailAddress | undefined {
  const [, name = '', address = text] = /^([^<>\r\n]*?)\s*<([^<>]+)>$/.exec(text) ?? [];
  return isMail(address) ? { name: name.replace(/^"(.*)"$/, '$1'), address } : undefined;
}

export const boolean = kind('true or false', (text) =>
  text === 'true' ? true : text === 'false' ? false : undefined,
);
export const word = matching('a value without spaces', (text) => /^\S+$/.test(text));
export const host = matching(
  'an IP address or a host name',
  (text) => isIP(text) > 0 || /^[\w.-]+$/.test(text),
);
export const directory = kind('a path', (text) => resolve(text));
export const database = kind(DATABASE_URL_FORM, parseDatabaseUrl);
export const httpUrl = matching('an http: or https: URL without credentials or fragment', (text) =>
  Boolean(parseHttpUrl(text)),
);
export const redirectUrl = matching(
  'an http(s) URL or one with an app scheme that contains a dot, in ASCII, without credentials or fragment',
  isRedirectUrl,
);
export const baseUrl = kind('an http: or https: URL without credentials, query or fragment', (text) =>
  text.includes('?') ? undefined : parseHttpUrl(text)?.href.replace(/\/+$/, ''),
);
/** In a path, only what needs no quoting as the path of a cookie or in a policy. */
export const publicUrl = kind(
  'an http: or https: URL without credentials, query or fragment; in its path A-Z a-z 0-9 . _ ~ - and /',
  (text) => {
    const url = baseUrl.parse(text);
    return url !== undefined && /^(?:\/[\w.~-]+)*\/?$/.test(new URL(url).pathname) ? url : undefined;
  },
);
export const urlOf = (...schemes: string[]): Kind<string> =>
  matching(`a URL that starts with ${schemes.join(' or ')}`, (text) => Boolean(parseUrl(text, ...schemes)));
export const smtpServer = kind(
  'smtp://user:password@host:587 (STARTTLS; ?tls=optional allows clear text) or smtps:; see docs/operations.md',
  parseSmtpUrl,
);
export const origin = kind(
  'an origin without wildcards such as https://app.example.com or capacitor://localhost, or * alone',
  parseOrigin,
);
export const addressOrCidr = matching('an IP address or a CIDR such as 10.0.0.0/8', isAddressOrCidr);
export const mail = kind('an email address', (text) => {
  const address = tidyMail(text);
  return isMailbox(address) ? address : undefined;
});
export const mailbox = kind('an email address or Name <email address>', parseMailbox);
export const secretKey = matching(
  'at least 32 characters, not all the same',
  (text) => [...text].length >= 32 && new Set(text).size > 1,
);
export const bearerToken = matching(
  'at least 16 characters of A-Z a-z 0-9 - . _ ~ + / with = only at the end',
  (text) => text.length >= 16 && /^[\w.~+/-]+=*$/.test(text),
);
export const password = matching(
  'at least 8 characters and at most 1024 bytes long',
  (text) => [...text].length >= 8 && Buffer.byteLength(text) <= 1024,
);
export const applePrivateKey = kind(
  'the PKCS#8 PEM of a P-256 private key, as the .p8 file has it',
  (text) => {
    const pem = unfoldedPem(text);
    return isApplePrivateKey(pem) ? pem : undefined;
  },
);
export const requestLimits = kind(
  `name=tries/seconds, separated by commas, with the names ${Object.keys(defaultLimits).join(' ')}`,
  parseLimits,
);

/** A comma-separated list. */
export function listOf(item: Kind<string>): Kind<string[]> {
  return kind(`a comma-separated list, each ${item.mustBe}`, (text) => {
    const texts = text.split(',').map((part) => part.trim());
    const values = texts.map((part) => (part ? item.parse(part) : undefined));
    return values.every((value) => value !== undefined) ? values : undefined;
  });
}
