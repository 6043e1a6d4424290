import { Injectable } from '@nestjs/common';
import { DataSource, In, LessThanOrEqual, MoreThan, MoreThanOrEqual, type EntityManager } from 'typeorm';
import { sha256 } from '../../common/crypto.js';
import { nowSeconds } from '../../common/time.js';
import { Purge } from '../../database/jobs/purge.js';
import { MailChange, type MailChangeState } from './mail-change.entity.js';

/** How long a change can be undone. */
export const UNDO_SECONDS = 7 * 24 * 60 * 60;

const OPEN: MailChangeState[] = ['requested', 'replaced', 'confirmed'];

interface NewChange extends Pick<MailChange, 'userId' | 'formerMail' | 'newMail'> {
  confirmableSeconds: number;
}

/** Stores changes of mail addresses, with the hashes of their links. */
@Injectable()
export class MailChangeRecords {
  constructor(
    private readonly dataSource: DataSource,
    private readonly purge: Purge,
  ) {}

  /** Stores a change in place of the account's unconfirmed ones; the caller has locked the account. */
  async add(
    manager: EntityManager,
    { confirmableSeconds, ...change }: NewChange,
    tokens: { confirm: string; cancel: string },
  ): Promise<MailChange> {
    const { userId } = change;
    await manager.update(MailChange, { userId, state: 'requested' }, { state: 'replaced' });
    const now = nowSeconds();
    return manager.save(MailChange, {
      ...change,
      state: 'requested' as const,
      confirmHash: sha256(tokens.confirm),
      cancelHash: sha256(tokens.cancel),
      undoHash: null,
      createdAt: now,
      confirmableUntil: now + confirmableSeconds,
      undoableUntil: now + confirmableSeconds + UNDO_SECONDS,
    });
  }

  findConfirmable(
    token: string,
    manager: EntityManager = this.dataSource.manager,
  ): Promise<MailChange | null> {
    const confirmableUntil = MoreThan(nowSeconds());
    return manager.findOneBy(MailChange, {
      confirmHash: sha256(token),
      state: 'requested',
      confirmableUntil,
    });
  }

  /** @param token of either link to the former address */
  findUndoable(token: string, manager: EntityManager = this.dataSource.manager): Promise<MailChange | null> {
    const open = { state: In(OPEN), undoableUntil: MoreThan(nowSeconds()) };
    const hash = sha256(token);
    return manager.findOne(MailChange, {
      where: [
        { ...open, cancelHash: hash },
        { ...open, undoHash: hash },
      ],
    });
  }

  /** @returns whether this call confirmed it */
  async confirm(manager: EntityManager, { id }: MailChange, undoToken: string): Promise<boolean> {
    const now = nowSeconds();
    const { affected } = await manager.update(
      MailChange,
      { id, state: 'requested', confirmableUntil: MoreThan(now) },
      { state: 'confirmed', undoHash: sha256(undoToken), undoableUntil: now + UNDO_SECONDS },
    );
    return affected === 1;
  }

  /** Whether this change or a later one of the account is in effect. */
  hasConfirmedFrom(
    { id, userId }: MailChange,
    manager: EntityManager = this.dataSource.manager,
  ): Promise<boolean> {
    return manager.existsBy(MailChange, { userId, id: MoreThanOrEqual(id), state: 'confirmed' });
  }

  /** Closes a change and every later one of the account. @returns whether this call closed it */
  async closeFrom(manager: EntityManager, { id, userId }: MailChange): Promise<boolean> {
    const closed = { state: 'closed' as const };
    const { affected } = await manager.update(MailChange, { id, state: In(OPEN) }, closed);
    await manager.update(MailChange, { userId, id: MoreThanOrEqual(id), state: In(OPEN) }, closed);
    return affected === 1;
  }

  async purgeOld(signal: AbortSignal): Promise<void> {
    const where = { undoableUntil: LessThanOrEqual(nowSeconds()) };
    await this.purge.where(MailChange, { where, order: { undoableUntil: 'ASC' } }, signal);
  }
}
