import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';

const MEMORY_DISK = '/dev/shm';
/** A run takes about 300 MB; containers often have 64. */
const ROOM_BYTES = 1024 ** 3;

function hasRoom(path) {
  try {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize > ROOM_BYTES;
  } catch {
    return false;
  }
}

/** Keeps temporary files in memory if there is room. Tests of the disk use DISK_TMPDIR. */
export function useMemoryDisk() {
  process.env.DISK_TMPDIR ??= tmpdir();
  if (hasRoom(MEMORY_DISK)) process.env.TMPDIR = MEMORY_DISK;
}
