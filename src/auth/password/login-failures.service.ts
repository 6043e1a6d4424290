import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { nowSeconds } from '../../common/time.js';
import { isUniqueViolation } from '../../database/constraints.js';
import { PlutoDataSource } from '../../database/pluto-data-source.js';
import { execute } from '../../database/sql-statement.js';
import { LoginFailure } from './login-failure.entity.js';

/** So many wrong passwords are free; each further one doubles the pause after it. */
const FREE_FAILURES = 10;
const FIRST_PAUSE_SECONDS = 60;
const LONGEST_PAUSE_SECONDS = 86_400;
/** @see NIST SP 800-63B-4 section 3.2.2 */
export const FAILURES_MAX = 100;

// Plain SQL, since every login runs it before the password is checked.
const FIND = `
  SELECT failures, last_failed_at AS lastFailedAt FROM login_failures WHERE user_id = ?`;
const COUNT = 'UPDATE login_failures SET failures = failures + 1, last_failed_at = ? WHERE user_id = ?';

type Failures = Pick<LoginFailure, 'failures' | 'lastFailedAt'>;

/**
 * Counts wrong passwords in a row from devices that the account does not know. They are refused for a growing
 * time after each, and after a hundred until the password was reset or the owner has signed in on a known
 * device.
 */
@Injectable()
export class LoginFailures {
  constructor(private readonly dataSource: PlutoDataSource) {}

  /** @returns null if the last password was right, or the account is unknown */
  async find(userId: number): Promise<Failures | null> {
    return (await this.dataSource.readOne<Failures>(FIND, [userId])) ?? null;
  }

  /** Counts one, in the transaction that records it; for an unknown account (0) it only takes as long. */
  async note(manager: EntityManager, userId: number): Promise<void> {
    if ((await this.count(manager, userId)) || userId === 0) return;
    try {
      await manager.insert(LoginFailure, { userId, failures: 1, lastFailedAt: nowSeconds() });
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
      await this.count(manager, userId);
    }
  }

  /** Forgets them: the password was right, or is a new one. */
  async forget(manager: EntityManager, userId: number): Promise<void> {
    await manager.delete(LoginFailure, { userId });
  }

  private async count(manager: EntityManager, userId: number): Promise<boolean> {
    return (await execute(manager, { sql: COUNT, parameters: [nowSeconds(), userId] })) === 1;
  }
}

/** Whether passwords from unknown devices are refused now, right or wrong. */
export function isPaused({ failures, lastFailedAt }: Failures): boolean {
  return failures >= FAILURES_MAX || nowSeconds() < lastFailedAt + pauseSeconds(failures);
}

/** The pause after so many wrong passwords in a row. */
export function pauseSeconds(failures: number): number {
  if (failures < FREE_FAILURES) return 0;
  return Math.min(FIRST_PAUSE_SECONDS * 2 ** (failures - FREE_FAILURES), LONGEST_PAUSE_SECONDS);
}
