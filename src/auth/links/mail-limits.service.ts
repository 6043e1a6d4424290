import { Injectable } from '@nestjs/common';
import type { Caller } from '../../common/caller.js';
import { mailKey } from '../../common/mail-addresses.js';
import { comparisonKey } from '../../common/text-keys.js';
import { Limits } from '../../limits/limits.service.js';
import { networkOf } from '../../limits/network.js';
import type { OneTimeTokenKind } from './one-time-token.entity.js';

interface Request {
  applicationId: number;
  caller: Pick<Caller, 'address'>;
}

/**
 * Limits mails to a mailbox: by mailbox and caller together, so that a stranger does not use up what is the
 * owner's, and with a higher bound by mailbox, so that strangers cannot flood it from many addresses. What
 * answers a request depends only on what was typed: nobody learns by it which handle has which mail, or
 * whether there is an account.
 */
@Injectable()
export class MailLimitsService {
  constructor(private readonly limits: Limits) {}

  /** @throws PlutoError tooManyRequests */
  async count(kind: OneTimeTokenKind, { typed, ...request }: Request & { typed: string }): Promise<void> {
    await this.limits.count('mail-recipient', this.callerKey(kind, typed, request));
    await this.limits.count('mail-mailbox', typedKey(kind, typed, request));
  }

  /**
   * Runs work that sends a mail, and counts it if it succeeds.
   * @throws PlutoError tooManyRequests | whatever the work throws
   */
  whileLeft<T>(
    kind: OneTimeTokenKind,
    { mail, ...request }: Request & { mail: string },
    work: () => Promise<T>,
  ): Promise<T> {
    return this.limits.whileLeft('mail-recipient', this.callerKey(kind, mail, request), () =>
      this.limits.whileLeft('mail-mailbox', typedKey(kind, mail, request), work),
    );
  }

  /** Counts a mail that nobody has typed the address of. @returns whether it may be sent */
  allowsUntyped(applicationId: number, mail: string): Promise<boolean> {
    return this.limits.allows('mail-mailbox', `untyped:${applicationId}:${mailKey(mail)}`);
  }

  private callerKey(kind: OneTimeTokenKind, typed: string, request: Request): string {
    return `${typedKey(kind, typed, request)}:${networkOf(request.caller.address)}`;
  }
}

function typedKey(kind: OneTimeTokenKind, typed: string, { applicationId }: Omit<Request, 'caller'>): string {
  return `${kind}:${applicationId}:${typed.includes('@') ? mailKey(typed) : comparisonKey(typed)}`;
}
