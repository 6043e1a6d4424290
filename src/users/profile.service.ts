import { Injectable } from '@nestjs/common';
import { In, type EntityManager } from 'typeorm';
import { PlutoError } from '../common/errors.js';
import type { RequestContext } from '../common/request-context.js';
import { comparisonKey } from '../common/text-keys.js';
import { nowSeconds } from '../common/time.js';
import { isUniqueViolation } from '../database/constraints.js';
import { PlutoDataSource } from '../database/pluto-data-source.js';
import { afterCommit, CommitOutcomeUnknown, Transactions } from '../database/transactions.js';
import { ApplicationsService } from '../applications/applications.service.js';
import { parseAvatar } from './avatar-input.js';
import { Limits } from '../limits/limits.service.js';
import { AvatarsService } from './avatars.service.js';
import { PendingMailsService } from './pending-mails.service.js';
import { ProfileQuery, type Profile } from './profile.query.js';
import { SearchIndex } from './search-index.service.js';
import { User } from './user.entity.js';

export interface ProfileChange {
  name?: string | undefined;
  avatar?: string | undefined;
  handle?: string | undefined;
}

/** Reads and updates profiles. */
@Injectable()
export class ProfileService {
  private readonly profiles: ProfileQuery;

  constructor(
    private readonly dataSource: PlutoDataSource,
    private readonly transactions: Transactions,
    private readonly applications: ApplicationsService,
    private readonly avatars: AvatarsService,
    private readonly limits: Limits,
    private readonly pending: PendingMailsService,
    private readonly searchIndex: SearchIndex,
  ) {
    this.profiles = new ProfileQuery(dataSource);
  }

  /** @throws PlutoError userNotExist */
  async get(userId: number): Promise<Profile> {
    const profile = await this.profiles.find(userId);
    if (!profile) throw new PlutoError('userNotExist');
    return profile;
  }

  /**
   * Updates the given fields only; an avatar of `''` removes the picture.
   * @throws PlutoError userNotExist | userIdExists | invalidAvatar | tooManyRequests
   */
  async update(
    userId: number,
    { name, avatar, handle }: ProfileChange,
    context: RequestContext,
  ): Promise<void> {
    const picture = await this.readAvatar(userId, avatar);
    const change = {
      ...(name !== undefined && { name, nameKey: comparisonKey(name) }),
      ...picture,
    };
    try {
      await this.transactions.runFor(context, (manager) => this.apply(manager, userId, change, handle));
    } catch (error) {
      // If the outcome of the commit is unknown, the account may name the picture; otherwise the cleanup
      // finds it.
      if (picture?.avatarFile && !(error instanceof CommitOutcomeUnknown))
        await this.avatars.discard(picture.avatarFile);
      if (isUniqueViolation(error, 'uq_users_handle')) throw new PlutoError('userIdExists', { cause: error });
      throw error;
    }
  }

  /** Public profiles by account id; unknown ids are omitted. */
  findPublic(ids: number[]): Promise<User[]> {
    return this.dataSource.manager.find(User, { where: { id: In(ids) }, order: { id: 'ASC' } });
  }

  /**
   * The public profile of a handle. Without an application, several accounts may have the handle; the oldest
   * is returned.
   * @throws PlutoError applicationNotExist | userIdNotExist
   */
  async getPublicByHandle(handle: string, applicationName: string | undefined): Promise<User> {
    const narrowed =
      applicationName === undefined
        ? {}
        : { applicationId: (await this.applications.getByName(applicationName)).id };
    const user = await this.dataSource.manager.findOne(User, {
      where: { handleKey: comparisonKey(handle), ...narrowed },
      order: { id: 'ASC' },
    });
    if (!user) throw new PlutoError('userIdNotExist');
    return user;
  }

  private async readAvatar(
    userId: number,
    avatar: string | undefined,
  ): Promise<Pick<User, 'avatarUrl' | 'avatarFile'> | null> {
    if (avatar === undefined) return null;
    const parsed = parseAvatar(avatar);
    switch (parsed.kind) {
      case 'none':
        return { avatarUrl: '', avatarFile: null };
      case 'url':
        return { avatarUrl: parsed.url, avatarFile: null };
      case 'image':
        await this.limits.count('avatar-account', String(userId));
        return { avatarUrl: '', avatarFile: await this.avatars.store(parsed.bytes) };
    }
  }

  /** A handle that an expired registration holds is free. */
  private async rename(
    manager: EntityManager,
    { id, applicationId }: User,
    change: Partial<User>,
  ): Promise<void> {
    try {
      await manager.update(User, { id }, change);
    } catch (error) {
      if (change.handleKey === undefined || !isUniqueViolation(error, 'uq_users_handle')) throw error;
      const holder = await manager.findOneBy(User, { applicationId, handleKey: change.handleKey });
      if (!holder || !(await this.pending.free(manager, holder))) throw error;
      await manager.update(User, { id }, change);
    }
  }

  private async apply(
    manager: EntityManager,
    userId: number,
    change: Partial<User>,
    handle: string | undefined,
  ): Promise<void> {
    // Locks the row: the second of two concurrent updates must see the picture that the first has set.
    await manager.update(User, { id: userId }, { updatedAt: nowSeconds() });
    const before = await manager.findOneBy(User, { id: userId });
    if (!before) throw new PlutoError('userNotExist');
    const renaming =
      handle === undefined ? {} : { handle, handleKey: comparisonKey(handle), isHandleUpdated: true };
    await this.rename(manager, before, { ...change, ...renaming, updatedAt: nowSeconds() });
    if (change.nameKey !== undefined || handle !== undefined) await this.searchIndex.refresh(manager, userId);
    const { avatarFile } = before;
    if (avatarFile !== null && 'avatarFile' in change) {
      afterCommit(manager, () => this.avatars.discard(avatarFile));
    }
  }
}
