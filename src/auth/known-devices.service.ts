import { Injectable } from '@nestjs/common';
import { LessThanOrEqual, type EntityManager } from 'typeorm';
import { hmac } from '../common/crypto.js';
import { nowSeconds } from '../common/time.js';
import { SecretKey } from '../config/secret-key.js';
import { PlutoDataSource } from '../database/pluto-data-source.js';
import { Purge } from '../database/purge.js';
import { execute, type Change } from '../database/statements.js';
import { isAddressMark } from './device-marks.js';
import { KnownDevice } from './known-device.entity.js';

/** The devices of an account beyond which the one used longest ago is forgotten. */
const DEVICES_MAX = 20;
const DAY_SECONDS = 86_400;
const RETENTION_SECONDS = 180 * DAY_SECONDS;

/** A device that an account knows. */
export interface Device {
  id: number;
  deviceHash: string;
  lastUsedAt: number;
}

/** What notes a sign-in. */
interface Remembrance {
  changes: Change[];
  /** Whether the device was known before. */
  isKnown: boolean;
  /**
   * Whether the account knows so few devices that none is to be forgotten, also where some others sign in at the same time. Were they
   * more than half of the most, the next new device would have the surplus forgotten.
   */
  hasRoom: boolean;
}

// Plain statements, since every login needs them.
const FIND_ALL = `
  SELECT id, device_hash AS deviceHash, last_used_at AS lastUsedAt
  FROM known_devices WHERE user_id = ? ORDER BY last_used_at DESC, id DESC`;
const ADD = 'INSERT INTO known_devices (user_id, device_hash, last_used_at) VALUES (?, ?, ?)';
const NOTE_USE = 'UPDATE known_devices SET last_used_at = ? WHERE id = ?';
const FORGET = 'DELETE FROM known_devices WHERE id = ?';

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

  /** Those that an account knows, the one used last first. */
  of(userId: number, manager?: EntityManager): Promise<Device[]> {
    return manager
      ? manager.query<Device[]>(FIND_ALL, [userId])
      : this.dataSource.read<Device>(FIND_ALL, [userId]);
  }

  /**
   * @param devices those that the account knows
   * @param marks by what the device can be known, the surest first; see `deviceMarks`
   * @returns what stands for the device, and whether it is known by more than its address; null when the account does
   *   not know it
   */
  recognize(devices: Device[], userId: number, marks: string[]): { hash: string; isSure: boolean } | null {
    const hashes = this.hashesOf(userId, marks);
    const found = hashes.findIndex((hash) => devices.some(({ deviceHash }) => deviceHash === hash));
    const [hash, mark] = [hashes[found], marks[found]];
    return hash === undefined || mark === undefined ? null : { hash, isSure: !isAddressMark(mark) };
  }

  /** Notes a sign-in, in its transaction, which has locked the account. @returns whether the device was known before */
  async remember(manager: EntityManager, userId: number, marks: string[]): Promise<boolean> {
    const { changes, isKnown } = this.remembrance(await this.of(userId, manager), userId, marks);
    for (const change of changes) await execute(manager, change);
    return isKnown;
  }

  /** @param devices those that the account knows, the one used last first */
  remembrance(devices: Device[], userId: number, marks: string[]): Remembrance {
    const now = nowSeconds();
    const hashes = this.hashesOf(userId, marks);
    const known = devices.filter(({ deviceHash }) => hashes.includes(deviceHash));
    const fresh = hashes.filter((hash) => !known.some(({ deviceHash }) => deviceHash === hash));
    // Once a day is enough, but for when others may be forgotten: it must not be the one in use.
    const isStale = known.some(({ lastUsedAt }) => lastUsedAt < now - DAY_SECONDS);
    const used = isStale || fresh.length > 0 ? known : [];
    const others = devices.filter((device) => !known.includes(device));
    const surplus = fresh.length > 0 ? others.slice(DEVICES_MAX - known.length - fresh.length) : [];
    const changes = [
      ...used.map(({ id }) => ({ sql: NOTE_USE, parameters: [now, id] })),
      ...fresh.map((hash) => ({ sql: ADD, parameters: [userId, hash, now] })),
      ...surplus.map(({ id }) => ({ sql: FORGET, parameters: [id] })),
    ];
    return {
      changes,
      isKnown: known.length > 0,
      hasRoom: devices.length + fresh.length <= DEVICES_MAX / 2,
    };
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

  private hashesOf(userId: number, marks: string[]): string[] {
    return marks.map((mark) => hmac(this.hashKey, `${userId}:${mark}`));
  }
}
