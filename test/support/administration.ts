import { SignJWT, type JWTPayload } from 'jose';
import { AdministratorAccountsService } from '../../src/auth/administrator-accounts.service.js';
import { Transactions } from '../../src/database/transactions.js';
import { PLUTO } from '../../src/applications/pluto-names.js';
import { SigningKeysService } from '../../src/token/signing-keys.service.js';
import { Identity } from '../../src/users/identity.entity.js';
import type { TestApp } from './app.js';
import { addApplication } from './applications.js';
import { nextNumber, type Answer, type Client, type RequestOptions } from './client.js';
import { openSession } from './sessions.js';
import { decodeToken } from './tokens.js';
import { addUser } from './users.js';

/** Not a valid hash; a login with it is refused like any wrong password. */
const HASH_OF_UNKNOWN_PASSWORD =
  '$argon2id$v=19$m=19456,t=2,p=1$QhYc2k435aI0qHelzx/ZrA$W7qoxLQlpCNG0pC8Jh7lHipqiyLCvyFweB5j+gQl6uI';

/** Calls Pluto with the token of one account. */
export class Caller {
  constructor(
    private readonly client: Client,
    readonly token: string,
  ) {}

  get(path: string): Promise<Answer> {
    return this.request('GET', path);
  }

  post(path: string, body?: unknown): Promise<Answer> {
    return this.request('POST', path, { body });
  }

  put(path: string, body?: unknown): Promise<Answer> {
    return this.request('PUT', path, { body });
  }

  request(method: string, path: string, options: RequestOptions = {}): Promise<Answer> {
    return this.client.request(method, path, { ...options, token: this.token });
  }
}

/** The administrator of the first start, signed in. */
export async function firstAdministrator(app: TestApp): Promise<Caller> {
  const { adminMail: mail } = app.settings;
  const { userId } = await app.dataSource.manager.findOneByOrFail(Identity, { mail });
  const { accessToken } = await openSession(app, userId, PLUTO.application);
  return new Caller(app.client, accessToken);
}

export interface Administrator extends Caller {
  id: number;
}

/** Another administrator, signed in; created without hashing, so that tests can create many. */
export async function addAdministrator(app: TestApp): Promise<Administrator> {
  const number = nextNumber();
  const id = await app.app.get(Transactions).runFor(null, (manager) =>
    app.app.get(AdministratorAccountsService).createWithin(manager, {
      mail: `keeper${number}@example.com`,
      handle: `keeper${number}`,
      name: `Keeper ${number}`,
      passwordHash: HASH_OF_UNKNOWN_PASSWORD,
    }),
  );
  const { accessToken } = await openSession(app, id, PLUTO.application);
  return Object.assign(new Caller(app.client, accessToken), { id });
}

/** Who may not call what is for administrators, and how each is refused: HTTP status and code. */
export const strangers = [
  ['nobody', 401, 1003],
  ['junk', 403, 3003],
  ['expired', 403, 3008],
  ['elsewhere', 403, 3009],
  ['user', 403, 4008],
] as const;
export type Stranger = (typeof strangers)[number][0];

/** What strangers send as a token. */
export async function strangersTokens(
  app: TestApp,
  admin: Caller,
): Promise<Record<Stranger, string | undefined>> {
  // The other application has a role with a scope of the name that counts in `pluto` only.
  const name = `org.example.elsewhere${nextNumber()}`;
  const elsewhere = await addApplication(app, { name, roles: { admin: [PLUTO.adminScope] } });
  const elsewhereId = await addUser(app, { applicationId: elsewhere.id });
  const userId = await addUser(app, {});
  return {
    nobody: undefined,
    junk: 'eyJhbGciOiJSUzI1NiJ9.eyJ0eXBlIjoiYWNjZXNzIn0.c2ln',
    expired: await expiredToken(app, admin.token),
    elsewhere: (await openSession(app, elsewhereId, name)).accessToken,
    user: (await openSession(app, userId, PLUTO.application)).accessToken,
  };
}

/** The same token, expired a second ago. */
async function expiredToken(app: TestApp, token: string): Promise<string> {
  const { header, claims } = decodeToken(token);
  const { privateKey } = await app.app.get(SigningKeysService).signingKey();
  const exp = Math.floor(Date.now() / 1000) - 1;
  return new SignJWT({ ...claims, exp } as unknown as JWTPayload)
    .setProtectedHeader({ ...header, alg: 'RS256' })
    .sign(privateKey);
}
