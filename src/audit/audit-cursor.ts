/** Where a page ends: the position of its last event. */
export interface AuditCursor {
  createdAt: number;
  id: number;
}

export function encodeCursor({ createdAt, id }: AuditCursor): string {
  return Buffer.from(`${createdAt}.${id}`).toString('base64url');
}

/** Null for a malformed cursor. */
export function decodeCursor(text: string): AuditCursor | null {
  const [, createdAt, id] =
    /^(\d{1,10})\.(\d{1,10})$/.exec(Buffer.from(text, 'base64url').toString('latin1')) ?? [];
  return createdAt !== undefined && id !== undefined
    ? { createdAt: Number(createdAt), id: Number(id) }
    : null;
}
