import { randomBytes } from 'node:crypto';
import type { INestApplicationContext } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { randomToken, sha256 } from '../src/common/crypto.js';
import { nowSeconds } from '../src/common/time.js';
import { Settings } from '../src/config/settings.js';
import type { Application } from '../src/rbac/application.entity.js';
import { UserGrantsService } from '../src/rbac/user-grants.service.js';
import { AccessTokensService } from '../src/token/access-tokens.service.js';
import { bulkInsert, inTransaction } from './bulk-insert.js';
import type { SeededAccounts } from './seed-accounts.js';
import type { Seeds } from './scenarios.js';

const ROWS_PER_TRANSACTION = 1000;
const SIGNATURES_AT_ONCE = 16;
const SESSION_COLUMNS = [
  'id',
  'user_id',
  'application_id',
  'device_id',
  'scopes',
  'created_at',
  'last_used_at',
];
const REFRESH_TOKEN_COLUMNS = ['session_id', 'generation', 'token_hash', 'created_at', 'expires_at'];

/** Opens sessions, spread evenly over the accounts, and makes the tokens that a login would have given. */
export async function seedSessions(
  services: INestApplicationContext,
  application: Application,
  accounts: SeededAccounts,
  count: number,
  onProgress: (done: number) => void,
): Promise<Pick<Seeds, 'tokens' | 'refreshTokens'>> {
  const stride = Math.max(1, Math.floor(accounts.count / Math.max(1, count)));
  const scopes = await services.get(UserGrantsService).scopesFor({
    userId: accounts.firstId,
    applicationId: application.id,
    requested: [],
  });
  const sessions = Array.from({ length: count }, (_, index) => ({
    id: randomBytes(16).toString('base64url'),
    userId: accounts.firstId + ((index * stride) % accounts.count),
    refreshToken: randomToken(),
  }));
  await store(services, application.id, scopes, sessions);

  const tokens = new Array<string>(count);
  let [started, done] = [0, 0];
  const signer = services.get(AccessTokensService);
  const lane = async () => {
    for (let index = started++; index < count; index = started++) {
      const { id: sessionId, userId } = sessions[index]!;
      const bearer = { userId, applicationName: application.name, scopes, sessionId };
      tokens[index] = (await signer.sign(bearer)).accessToken;
      onProgress(++done);
    }
  };
  await Promise.all(Array.from({ length: SIGNATURES_AT_ONCE }, lane));
  return { tokens, refreshTokens: sessions.map(({ refreshToken }) => refreshToken) };
}

async function store(
  services: INestApplicationContext,
  applicationId: number,
  scopes: string[],
  sessions: { id: string; userId: number; refreshToken: string }[],
): Promise<void> {
  const now = nowSeconds();
  const expiresAt = now + services.get(Settings).refreshTokenTtlSeconds;
  const runner = services.get(DataSource).createQueryRunner();
  try {
    for (let start = 0; start < sessions.length; start += ROWS_PER_TRANSACTION) {
      const batch = sessions.slice(start, start + ROWS_PER_TRANSACTION);
      const rows = batch.map(({ id, userId }) => {
        return [id, userId, applicationId, 'bench', JSON.stringify(scopes), now, now];
      });
      const tokens = batch.map(({ id, refreshToken }) => [id, 1, sha256(refreshToken), now, expiresAt]);
      await inTransaction(runner, async () => {
        await bulkInsert(runner, 'sessions', SESSION_COLUMNS, rows);
        await bulkInsert(runner, 'refresh_tokens', REFRESH_TOKEN_COLUMNS, tokens);
      });
    }
  } finally {
    await runner.release();
  }
}
