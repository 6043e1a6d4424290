import { existsSync, statfsSync } from 'node:fs';
import { storageFault } from '../../common/storage-fault.js';
import { prepareDataDirectory } from '../../config/data-directory.js';
import type { Settings } from '../../config/settings.js';
import { failed, type Finding, ok, warning } from './finding.js';

/** The end of security fixes by major version (https://github.com/nodejs/Release). */
const END_OF_LIFE: Record<number, string> = {
  20: '2026-04-30',
  22: '2027-04-30',
  24: '2028-04-30',
  26: '2029-04-30',
};
const SOON_MS = 90 * 86_400_000;

/** @param version as `process.versions.node` */
export function checkNode(version: string, now: number): Finding {
  const end = END_OF_LIFE[Number(version.split('.')[0])];
  const latest = Math.max(...Object.keys(END_OF_LIFE).map(Number));
  if (end === undefined)
    return Number(version.split('.')[0]) > latest
      ? ok('node', version)
      : warning('node', `${version} has no long-term support`, 'install Node 24');
  const left = Date.parse(end) - now;
  if (left < 0)
    return warning('node', `${version} has had no security fixes since ${end}`, 'install Node 24');
  if (left < SOON_MS)
    return warning('node', `${version} gets no security fixes after ${end}`, 'install Node 24');
  return ok('node', `${version}, security fixes until ${end}`);
}

const MEBIBYTE = 1024 * 1024;
const LEAST_FREE = 100 * MEBIBYTE;
const ENOUGH_FREE = 1024 * MEBIBYTE;

/** @param freeOf returns the free bytes of the disk that a folder is on */
export function checkDataDirectory(
  { dataDir }: Settings,
  freeOf: (path: string) => number = freeBytes,
): Finding {
  const name = 'data_dir';
  if (!existsSync(dataDir))
    return failed(
      name,
      `DATA_DIR ${dataDir} does not exist`,
      'run this in the folder of the server, or set DATA_DIR',
    );
  try {
    prepareDataDirectory(dataDir);
  } catch (error) {
    const reason = storageFault(error) ?? String((error as NodeJS.ErrnoException).code);
    return failed(
      name,
      `DATA_DIR ${dataDir} cannot be written (${reason})`,
      'correct its owner and mode, or free space',
    );
  }
  const free = freeOf(dataDir);
  const detail = `DATA_DIR ${dataDir} is writable, ${Math.floor(free / MEBIBYTE)} MiB are free`;
  if (free < LEAST_FREE) return failed(name, detail, 'free at least 1 GiB');
  return free < ENOUGH_FREE ? warning(name, detail, 'free at least 1 GiB') : ok(name, detail);
}

function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}
