import { domainToASCII, domainToUnicode } from 'node:url';
import { comparisonKey } from './text-keys.js';

/** What keyboards for Chinese and Japanese type instead of `@`; NFKC makes all of them one. */
const WIDE_AT = /[\uff20\ufe6b]/gu;
/** These end a host name or are decoded in it by node's URL parser, and are in no domain. */
const NO_DOMAIN = /[\s/\\?#%:@[\]]/u;

/** Of a domain in lower case. */
const ENCODED_LABEL = /(?:^|\.)xn--/u;
/** These separate labels (UTS 46 section 4). */
const DOTS = /[.\u3002\uff0e\uff61]/u;
/** A label in the form of DNS (RFC 5890 section 2.3.2.1). */
const ASCII_LABEL = /(?:^|[.\u3002\uff0e\uff61])xn--/iu;

/** An address as it was typed, without blanks around it. */
export function tidyMail(typed: string): string {
  return typed.trim().replace(WIDE_AT, '@');
}

/**
 * The key of a mailbox: one for all ways to write its address. A domain in Unicode and in its `xn--` form is
 * the same (UTS 46, nontransitional); everything else is compared like other text.
 */
export function mailKey(typed: string): string {
  const { local, domain } = split(tidyMail(typed));
  if (domain === '') return comparisonKey(local);
  const ascii = asciiDomain(domain);
  return `${comparisonKey(local)}@${ascii === null ? comparisonKey(domain) : domainToUnicode(ascii)}`;
}

/**
 * The key of a part of an address, such as its beginning, to be found in keys of mailboxes: what follows the
 * `@` is part of a domain, and so is a text without `@` that has an `xn--` label. The labels are taken one by
 * one, since the first or last may be cut off; one that is no label yet is compared like other text.
 */
export function mailPartKey(typed: string): string {
  const tidy = tidyMail(typed);
  if (!tidy.includes('@')) return ASCII_LABEL.test(tidy) ? domainPartKey(tidy) : comparisonKey(tidy);
  const { local, domain } = split(tidy);
  return `${comparisonKey(local)}@${domainPartKey(domain)}`;
}

/** The address to deliver to, with the domain as DNS knows it; null if there is no such domain. */
export function deliveryAddress(mail: string): string | null {
  const { local, domain } = split(mail);
  const ascii = asciiDomain(domain);
  return ascii === null ? null : `${local}@${ascii}`;
}

function split(mail: string): { local: string; domain: string } {
  const at = mail.lastIndexOf('@');
  return at < 0 ? { local: mail, domain: '' } : { local: mail.slice(0, at), domain: mail.slice(at + 1) };
}

function domainPartKey(part: string): string {
  return part.split(DOTS).map(labelKey).join('.');
}

function labelKey(label: string): string {
  // With a label after it, since a number alone is an address of IPv4.
  const ascii = label === '' ? null : asciiDomain(`${label}.x`);
  return ascii === null ? comparisonKey(label) : domainToUnicode(ascii).slice(0, -'.x'.length);
}

function asciiDomain(domain: string): string | null {
  if (NO_DOMAIN.test(domain)) return null;
  // Mapped to `ss` before revision 31 of UTS 46, as in the ICU of older versions of Node.
  const ascii = domainToASCII(domain.replaceAll('\u1e9e', 'ß'));
  return ascii === '' || hasMalformedLabel(ascii) ? null : ascii;
}

/** Node 24 accepts what does not decode, and leaves it as it is (RFC 5891 section 5.3). */
function hasMalformedLabel(ascii: string): boolean {
  return ascii.includes('xn--') && ENCODED_LABEL.test(domainToUnicode(ascii) || ascii);
}
