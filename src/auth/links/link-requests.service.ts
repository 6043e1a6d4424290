import { randomInt } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DataSource, LessThanOrEqual, type EntityManager } from 'typeorm';
import type { Caller } from '../../common/caller.js';
import { nowSeconds } from '../../common/time.js';
import { Purge } from '../../database/jobs/purge.js';
import { afterCommit, Transactions } from '../../database/transactions.js';
import { LinkRequest } from './link-request.entity.js';

const ACCEPT_LANGUAGE_MAX = 255;
const OLDEST = 10;
/** A request that could not be answered for so long is given up; the person has asked again. */
const RETENTION_SECONDS = 3600;

/**
 * Requests for mailed links, stored whether anybody has the mail or not and answered afterwards: the time of
 * the response is the same for known and unknown addresses.
 */
@Injectable()
export class LinkRequestsService {
  private readonly listeners = new Set<() => void>();

  constructor(
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly purge: Purge,
  ) {}

  async add(request: Pick<LinkRequest, 'kind' | 'applicationId' | 'typed'>, caller: Caller): Promise<void> {
    const { language, acceptLanguage = '' } = caller;
    await this.transactions.runFor(caller, async (manager) => {
      await manager.insert(LinkRequest, {
        ...request,
        language,
        acceptLanguage: acceptLanguage.slice(0, ACCEPT_LANGUAGE_MAX),
        createdAt: nowSeconds(),
      });
      afterCommit(manager, () => this.listeners.forEach((listener) => listener()));
    });
  }

  /** Registers a callback for requests stored by this process. */
  onAdded(listener: () => void): void {
    this.listeners.add(listener);
  }

  /** One of the oldest requests: not always the first, so that one that fails does not hold up the others. */
  async findNext(): Promise<LinkRequest | undefined> {
    const oldest = await this.dataSource.manager.find(LinkRequest, { order: { id: 'ASC' }, take: OLDEST });
    return oldest[randomInt(Math.max(1, oldest.length))];
  }

  /** Answers a request in the transaction that deletes it, so that one instance answers it, once. */
  async answer({ id }: LinkRequest, work: (manager: EntityManager) => Promise<void>): Promise<void> {
    await this.transactions.runFor(null, async (manager) => {
      const { affected } = await manager.delete(LinkRequest, { id });
      if (affected === 1) await work(manager);
    });
  }

  async purgeForgotten(signal: AbortSignal): Promise<void> {
    const where = { createdAt: LessThanOrEqual(nowSeconds() - RETENTION_SECONDS) };
    await this.purge.where(LinkRequest, { where, order: { createdAt: 'ASC' } }, signal);
  }
}
