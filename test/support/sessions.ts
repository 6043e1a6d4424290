import { Transactions } from '../../src/database/transactions.js';
import { ApplicationsService } from '../../src/applications/applications.service.js';
import { TokenIssuerService, type TokenPair } from '../../src/token/token-issuer.service.js';
import type { TestApp } from './app.js';
import { NOBODYS_REQUEST } from './request-context.js';

/** Signs an account in without its password. */
export async function openSession(
  { app }: TestApp,
  userId: number,
  applicationName: string,
): Promise<TokenPair> {
  const application = await app.get(ApplicationsService).getByName(applicationName);
  const caller = { ...NOBODYS_REQUEST, userAgent: '', language: 'en', acceptLanguage: undefined } as const;
  const issuer = app.get(TokenIssuerService);
  const session = await app.get(Transactions).runFor(null, (manager) =>
    issuer.openSession(manager, {
      ...{ userId, application, deviceId: undefined, caller },
      ...{ signedInBy: '', authenticatedAt: 0 },
    }),
  );
  return issuer.sign(session);
}
