import { isNativeError } from 'node:util/types';

/** Why a mail was not sent, as logs and metrics name it. */
export const faultKinds = [
  /** The mail server could not be reached, or hung up. */
  'connection',
  'tls',
  /** The mail server refuses our credentials, or requires some. */
  'authentication',
  /** The mail server refuses us, our sender or our message. */
  'policy',
  /** A refusal that the mail server calls temporary. */
  'temporary',
  /** The mailbox does not exist or accepts no mail. */
  'recipient',
  /** The link expired first. */
  'expired',
  /** Anything else, such as a full disk. */
  'internal',
] as const;
export type FaultKind = (typeof faultKinds)[number];

/** Why a delivery failed, and whether to retry it. */
export interface DeliveryFault {
  kind: FaultKind;
  isPermanent: boolean;
  /** For the operator: the mail server's words, without addresses, links and secrets. */
  reason: string;
}

/** The recipient's address cannot be sent to this mail server. */
export class UndeliverableAddress extends Error {}

interface SmtpError {
  message: string;
  code?: unknown;
  /** The command that failed, or the phase of the connection. */
  command?: unknown;
  response?: unknown;
  responseCode?: unknown;
}

const REASON_MAX = 255;
/** A command of the transaction of one mail; what fails before it does not depend on the mail. */
const TRANSACTION = ['MAIL FROM', 'RCPT TO', 'DATA'];
/** Replies to RCPT TO that are about the mailbox (RFC 5321 section 4.2.3, RFC 7504). */
const MAILBOX_REPLIES = [550, 551, 552, 553, 556];
/** Our credentials, or that none were given (RFC 4954 section 6). */
const CREDENTIAL_REPLIES = [530, 534, 535, 538];

/**
 * Classifies a failed delivery. Only faults of the recipient are permanent: a quota, a block list or a
 * missing configuration may change within hours, and a mail that was given up reaches nobody.
 * @param secrets texts that must not appear in the reason
 */
export function deliveryFault(thrown: unknown, secrets: readonly string[] = []): DeliveryFault {
  if (!isNativeError(thrown)) return { kind: 'internal', isPermanent: false, reason: 'unknown' };
  const kind = kindOf(thrown);
  return { kind, isPermanent: kind === 'recipient', reason: redact(reasonOf(thrown), secrets) };
}

function kindOf(error: SmtpError): FaultKind {
  const { code, command, responseCode } = error;
  if (error instanceof UndeliverableAddress) return 'recipient';
  if (code === 'ETLS') return 'tls';
  if (code === 'EAUTH') return 'authentication';
  if (typeof responseCode !== 'number') return command === 'CONN' ? 'connection' : 'internal';
  if (responseCode < 500) return 'temporary';
  if (isOfRecipient(error, responseCode)) return 'recipient';
  return CREDENTIAL_REPLIES.includes(responseCode) ? 'authentication' : 'policy';
}

/** Decides by the enhanced status code if there is one (RFC 3463), else by the reply to RCPT TO. */
function isOfRecipient({ command, response }: SmtpError, responseCode: number): boolean {
  if (typeof command !== 'string' || !TRANSACTION.includes(command)) return false;
  const [, subject, detail] = /^\d{3}[ -]5\.(\d{1,3})\.(\d{1,3})\b/m.exec(String(response)) ?? [];
  if (subject === undefined) return command === 'RCPT TO' && MAILBOX_REPLIES.includes(responseCode);
  // The recipient's servers take no address that is not ASCII (RFC 6531 section 3.5).
  if (subject === '6') return detail === '7';
  // Up to RCPT TO the status is the sender's.
  if (command === 'MAIL FROM') return false;
  // Address, except the sender's; mailbox; RFC 7293: mailbox or domain with a new owner.
  if (subject === '1') return detail !== '7' && detail !== '8';
  return subject === '2' || (subject === '7' && (detail === '17' || detail === '18'));
}

function reasonOf({ message, code, command, response }: SmtpError): string {
  // The reply to STARTTLS alone does not say that TLS failed.
  const answer = typeof response === 'string' && code !== 'ETLS' ? response : message;
  const stage = typeof command === 'string' && !['CONN', 'API'].includes(command) ? command : undefined;
  return [code, stage, answer].filter((part) => typeof part === 'string').join(': ');
}

/** Mail servers may repeat what they were sent, and name pages about their refusal. */
function redact(text: string, secrets: readonly string[]): string {
  const redacted = secrets
    .reduce((rest, secret) => rest.replaceAll(secret, '[secret]'), text)
    .replace(/\b(?:[a-z][a-z\d+.-]*:\/\/|www\.)\S+/gi, '[link]')
    .replace(/[^\s<>()[\],:;"']+@[^\s<>()[\],:;"']+/g, '[address]')
    .replace(/[\w+/=-]{32,}/g, '[…]')
    .replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim();
  return redacted.slice(0, REASON_MAX);
}
