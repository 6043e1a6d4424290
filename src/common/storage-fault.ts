const reasons: Record<string, string> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file may not grow',
  EROFS: 'the file system is read-only',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EIO: 'the disk failed',
  SQLITE_FULL: 'the disk is full',
  SQLITE_IOERR: 'the disk failed, or is full',
  SQLITE_READONLY: 'the database cannot be written',
  SQLITE_CANTOPEN: 'the database cannot be opened',
  SQLITE_AUTH: 'permission denied',
};

/** The reason of a disk error, by the code of the error or one of its causes; null for any other error. */
export function storageFault(error: unknown): string | null {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as { code?: unknown };
    // SQLite's extended codes begin with the plain one: SQLITE_IOERR_WRITE.
    const key = typeof code === 'string' ? /^(?:SQLITE_[A-Z]+|E[A-Z]+$)/.exec(code)?.[0] : undefined;
    const reason = key === undefined ? undefined : reasons[key];
    if (reason !== undefined) return `${reason} (${String(code)})`;
  }
  return null;
}
