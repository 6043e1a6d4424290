import { mailKey } from '../../src/common/mail-addresses.js';
import { comparisonKey } from '../../src/common/text-keys.js';
import { nowSeconds } from '../../src/common/time.js';
import { PLUTO } from '../../src/applications/pluto-names.js';
import { ApplicationsService } from '../../src/applications/applications.service.js';
import { Identity, type LoginType } from '../../src/users/identity.entity.js';
import { execute } from '../../src/database/sql-statement.js';
import { addingSearchParts } from '../../src/users/search-index.service.js';
import { User } from '../../src/users/user.entity.js';
import type { TestApp } from './app.js';
import { nextNumber } from './client.js';

interface NewUser {
  applicationId?: number;
  name?: string;
  handle?: string;
  /** A confirmed mail, unless told otherwise. */
  identities?: { loginType: LoginType; mail: string; isVerified?: boolean }[];
  createdAt?: number;
}

/** Inserts an account without password into the database. @returns its id */
export async function addUser({ app, dataSource }: TestApp, change: NewUser): Promise<number> {
  const number = nextNumber();
  const {
    applicationId = (await app.get(ApplicationsService).getByName(PLUTO.application)).id,
    name = `User ${number}`,
    handle = `user${number}`,
    identities = [{ loginType: 'mail', mail: `user${number}@example.com` }],
    createdAt = nowSeconds(),
  } = change;
  return dataSource.transaction(async (manager) => {
    const { id } = await manager.save(User, {
      applicationId,
      handle,
      handleKey: comparisonKey(handle),
      isHandleUpdated: false,
      name,
      nameKey: comparisonKey(name),
      avatarUrl: '',
      avatarFile: null,
      passwordHash: null,
      createdAt,
      updatedAt: createdAt,
    });
    for (const { loginType, mail, isVerified = true } of identities)
      await manager.insert(Identity, {
        userId: id,
        applicationId,
        loginType,
        subjectKey: loginType === 'mail' ? mailKey(mail) : `${loginType}-${number}`,
        mail,
        mailKey: mailKey(mail),
        isVerified,
        createdAt,
      });
    await execute(manager, addingSearchParts(id, id));
    return id;
  });
}

/** In one transaction, and by few statements. */
const ROWS_PER_STATEMENT = 500;

/** Inserts many accounts with confirmed mails into the database. */
export async function addUsers(
  { app, dataSource }: TestApp,
  count: number,
  accountOf: (number: number) => { name: string; handle: string },
): Promise<void> {
  const { id: applicationId } = await app.get(ApplicationsService).getByName(PLUTO.application);
  const now = nowSeconds();
  await dataSource.transaction(async (manager) => {
    const userRows = Array.from({ length: count }, (_, number) => {
      const { name, handle } = accountOf(number);
      const keys = { nameKey: comparisonKey(name), handleKey: comparisonKey(handle) };
      return { applicationId, name, handle, ...keys, createdAt: now, updatedAt: now };
    });
    for (let start = 0; start < count; start += ROWS_PER_STATEMENT) {
      const rows = userRows.slice(start, start + ROWS_PER_STATEMENT);
      const { identifiers } = await manager.insert(User, rows);
      const identities = identifiers.map(({ id }, index) => {
        const mail = `${rows[index]!.handle}@example.com`;
        const keys = { subjectKey: mailKey(mail), mailKey: mailKey(mail) };
        return {
          userId: id as number,
          applicationId,
          loginType: 'mail' as const,
          mail,
          ...keys,
          isVerified: true,
          createdAt: now,
        };
      });
      await manager.insert(Identity, identities);
      const ids = identities.map(({ userId }) => userId);
      await execute(manager, addingSearchParts(Math.min(...ids), Math.max(...ids)));
    }
  });
}
