import { Injectable } from '@nestjs/common';
import { In, LessThanOrEqual, type EntityManager } from 'typeorm';
import { hmac } from '../common/crypto.js';
import { nowSeconds } from '../common/time.js';
import { SecretKey } from '../config/secret-key.js';
import { PlutoDataSource } from '../database/pluto-data-source.js';
import { Purge } from '../database/purge.js';
import { isAddressMark } from './device-marks.js';
import { KnownDevice } from './known-device.entity.js';

/** The devices of an account beyond which the one used longest ago is forgotten. */
const DEVICES_MAX = 20;
const DAY_SECONDS = 86_400;
const RETENTION_SECONDS = 180 * DAY_SECONDS;

interface DeviceRow {
  id: number;
  deviceHash: string;
  lastUsedAt: number;
}

/** Those of the devices that the account knows; as it is, since every login needs it twice. */
function statementFor(userId: number, hashes: string[]): [sql: string, parameters: unknown[]] {
  const places = hashes.map(() => '?').join(', ') || 'NULL';
  const columns = 'id, device_hash AS deviceHash, last_used_at AS lastUsedAt';
  return [
    `SELECT ${columns} FROM known_devices WHERE user_id = ? AND device_hash IN (${places})`,
    [userId, ...hashes],
  ];
}

/** Remembers on which devices an account has signed in: strangers' guesses do not lock it out there. */
@Injectable()
export class KnownDevicesService {
  private readonly hashKey: Buffer;

  constructor(
    private readonly dataSource: PlutoDataSource,
    private readonly purge: Purge,
    secretKey: SecretKey,
  ) {
    this.hashKey = secretKey.derive('known-devices');
  }

  /**
   * @param marks by what the device can be known, the surest first; see `deviceMarks`
   * @returns what stands for the device, and whether it is known by more than its address; null when the account does
   *   not know it
   */
  async find(userId: number, marks: string[]): Promise<{ hash: string; isSure: boolean } | null> {
    const hashes = this.hashesOf(userId, marks);
    const known = await this.dataSource.read<DeviceRow>(...statementFor(userId, hashes));
    const found = hashes.findIndex((hash) => known.some(({ deviceHash }) => deviceHash === hash));
    const [hash, mark] = [hashes[found], marks[found]];
    return hash === undefined || mark === undefined ? null : { hash, isSure: !isAddressMark(mark) };
  }

  /** Notes a sign-in, in its transaction, which has locked the account. @returns whether the device was known before */
  async remember(manager: EntityManager, userId: number, marks: string[]): Promise<boolean> {
    const now = nowSeconds();
    const hashes = this.hashesOf(userId, marks);
    const known = await manager.query<DeviceRow[]>(...statementFor(userId, hashes));
    const fresh = hashes.filter((hash) => !known.some(({ deviceHash }) => deviceHash === hash));
    // Once a day is enough, but for when others may be forgotten: it must not be the one in use.
    const isStale = known.some(({ lastUsedAt }) => lastUsedAt < now - DAY_SECONDS);
    if (isStale || fresh.length > 0)
      await manager.update(KnownDevice, { id: In(known.map(({ id }) => id)) }, { lastUsedAt: now });
    if (fresh.length > 0) {
      await manager.insert(
        KnownDevice,
        fresh.map((deviceHash) => ({ userId, deviceHash, lastUsedAt: now })),
      );
      await this.forgetOldest(manager, userId);
    }
    return known.length > 0;
  }

  /** Forgets all: somebody else may have signed in on some. */
  async forgetAll(manager: EntityManager, userId: number): Promise<void> {
    await manager.delete(KnownDevice, { userId });
  }

  async purgeExpired(signal: AbortSignal): Promise<void> {
    const before = nowSeconds() - RETENTION_SECONDS;
    const due = { where: { lastUsedAt: LessThanOrEqual(before) }, order: { lastUsedAt: 'ASC' } } as const;
    await this.purge.where(KnownDevice, due, signal);
  }

  private async forgetOldest(manager: EntityManager, userId: number): Promise<void> {
    const devices = await manager.find(KnownDevice, {
      where: { userId },
      order: { lastUsedAt: 'DESC', id: 'DESC' },
      select: { id: true },
    });
    const surplus = devices.slice(DEVICES_MAX).map(({ id }) => id);
    if (surplus.length > 0) await manager.delete(KnownDevice, { id: In(surplus) });
  }

  private hashesOf(userId: number, marks: string[]): string[] {
    return marks.map((mark) => hmac(this.hashKey, `${userId}:${mark}`));
  }
}
