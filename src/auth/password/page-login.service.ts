import { Injectable } from '@nestjs/common';
import { Transactions } from '../../database/transactions.js';
import { PageSessionsService } from '../../token/page-sessions.service.js';
import { PasswordLoginService, type Credentials } from './password-login.service.js';

/** Signs browsers in to the hosted pages with a password. */
@Injectable()
export class PageLoginService {
  constructor(
    private readonly transactions: Transactions,
    private readonly logins: PasswordLoginService,
    private readonly pageSessions: PageSessionsService,
  ) {}

  /**
   * @param replaced token of the browser's previous session, which ends; `''` for none
   * @returns the token for the browser's cookie
   * @throws PlutoError applicationNotExist | invalidPassword | mailNotVerified | tooManyRequests
   */
  async login(credentials: Credentials, replaced: string): Promise<string> {
    const proof = await this.logins.prove(credentials);
    const { userId, application } = proof;
    const { address, userAgent } = credentials.caller;
    const session = { userId, applicationId: application.id, signedInBy: 'password' as const };
    return this.transactions.runFor(credentials.caller, async (manager) => {
      await this.logins.authenticate(manager, proof);
      return this.pageSessions.open(manager, { ...session, address, userAgent }, replaced);
    });
  }
}
