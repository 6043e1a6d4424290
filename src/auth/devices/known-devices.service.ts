import { Injectable } from '@nestjs/common';
import { LessThanOrEqual, MoreThanOrEqual, type EntityManager } from 'typeorm';
import { hmac } from '../../common/crypto.js';
import { nowSeconds } from '../../common/time.js';
import { SecretKey } from '../../config/secret-key.js';
import { PlutoDataSource } from '../../database/pluto-data-source.js';
import { Purge } from '../../database/jobs/purge.js';
import { isAddressIdentifier } from './device-identifiers.js';
import { KnownDevice } from './known-device.entity.js';

/** Per account; beyond this the device used longest ago is forgotten. */
const DEVICES_MAX = 20;
const DAY_SECONDS = 86_400;
const RETENTION_SECONDS = 180 * DAY_SECONDS;
/** After so many wrong passwords in a row the owner no longer uses it. */
const FAILURES_MAX = 100;

interface Device {
  id: number;
  deviceHash: string;
  lastUsedAt: number;
  failures: number;
}

// Plain SQL, since every login runs it before the password is checked.
const FIND_ALL = `
  SELECT id, device_hash AS deviceHash, last_used_at AS lastUsedAt, failures
  FROM known_devices WHERE user_id = ? ORDER BY last_used_at DESC, id DESC`;

/**
 * Remembers the devices that an account has signed in on: guesses from elsewhere do not lock it out there.
 */
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
   * @param identifiers of the device, the most reliable first; see `deviceIdentifiers`
   * @returns the device's hash, and whether it is known by more than its address; null for an unknown device
   */
  async match(userId: number, identifiers: string[]): Promise<{ hash: string; isSure: boolean } | null> {
    const devices = await this.dataSource.read<Device>(FIND_ALL, [userId]);
    const hashes = this.hashesOf(userId, identifiers);
    const found = hashes.findIndex((hash) => devices.some(({ deviceHash }) => deviceHash === hash));
    const [hash, identifier] = [hashes[found], identifiers[found]];
    return hash === undefined || identifier === undefined
      ? null
      : { hash, isSure: !isAddressIdentifier(identifier) };
  }

  /**
   * Records a sign-in, in its transaction, which must have locked the account.
   * @returns whether the device was known before
   */
  async remember(manager: EntityManager, userId: number, identifiers: string[]): Promise<boolean> {
    const now = nowSeconds();
    const devices = await manager.query<Device[]>(FIND_ALL, [userId]);
    const hashes = this.hashesOf(userId, identifiers);
    const known = devices.filter(({ deviceHash }) => hashes.includes(deviceHash));
    const fresh = hashes.filter((hash) => !known.some(({ deviceHash }) => deviceHash === hash));
    // Updated once a day, or whenever a new device may push out another: that must not be the one in use.
    const isStale = known.some(({ lastUsedAt, failures }) => lastUsedAt < now - DAY_SECONDS || failures > 0);
    const used = isStale || fresh.length > 0 ? known : [];
    const others = devices.filter((device) => !known.includes(device));
    const surplus = fresh.length > 0 ? others.slice(DEVICES_MAX - known.length - fresh.length) : [];
    for (const { id } of used) await manager.update(KnownDevice, { id }, { lastUsedAt: now, failures: 0 });
    for (const deviceHash of fresh)
      await manager.insert(KnownDevice, { userId, deviceHash, lastUsedAt: now, failures: 0 });
    for (const { id } of surplus) await manager.delete(KnownDevice, { id });
    return known.length > 0;
  }

  /** Counts a wrong password on a known device, which is forgotten after a hundred in a row. */
  async noteFailure(manager: EntityManager, userId: number, deviceHash: string): Promise<void> {
    const device = { userId, deviceHash };
    await manager.increment(KnownDevice, device, 'failures', 1);
    await manager.delete(KnownDevice, { ...device, failures: MoreThanOrEqual(FAILURES_MAX) });
  }

  /** Forgets all devices: somebody else may have signed in on some of them. */
  async forgetAll(manager: EntityManager, userId: number): Promise<void> {
    await manager.delete(KnownDevice, { userId });
  }

  async purgeExpired(signal: AbortSignal): Promise<void> {
    const before = nowSeconds() - RETENTION_SECONDS;
    const due = { where: { lastUsedAt: LessThanOrEqual(before) }, order: { lastUsedAt: 'ASC' } } as const;
    await this.purge.where(KnownDevice, due, signal);
  }

  private hashesOf(userId: number, identifiers: string[]): string[] {
    return identifiers.map((identifier) => hmac(this.hashKey, `${userId}:${identifier}`));
  }
}
