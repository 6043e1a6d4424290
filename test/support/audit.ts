import { AuditEvent } from '../../src/audit/audit-event.entity.js';
import { nowSeconds } from '../../src/common/time.js';
import type { Caller } from './administration.js';
import type { TestApp } from './app.js';
import { expectOk } from './expectations.js';

/** An event as returned by `GET /v1/audit`. */
export interface Recorded {
  id: number;
  at: number;
  type: string;
  app_id: string;
  user_id: number;
  actor: { kind: string; user_id: number; client: string };
  address: string;
  request_id: string;
  detail: Record<string, string>;
}

interface Page {
  events: Recorded[];
  next_cursor: string;
}

export async function readAudit(admin: Caller, query: Record<string, string | number> = {}): Promise<Page> {
  const sent = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) sent.set(name, String(value));
  const answer = await admin.get(`/v1/audit?${sent.toString()}`);
  expectOk(answer);
  return answer.body as Page;
}

/** Inserts events into the trail, oldest first. @returns their ids */
export async function addEvents(
  { dataSource }: TestApp,
  count: number,
  change: Partial<AuditEvent> | ((index: number) => Partial<AuditEvent>) = {},
): Promise<number[]> {
  const rows = Array.from({ length: count }, (_, index) => ({
    createdAt: nowSeconds(),
    type: 'key.rotated' as const,
    applicationId: null,
    userId: null,
    actorKind: 'system' as const,
    actorId: null,
    actorClient: null,
    address: '',
    requestId: '',
    detail: {},
    ...(typeof change === 'function' ? change(index) : change),
  }));
  const saved = await dataSource.manager.save(AuditEvent, rows, { chunk: 500 });
  return saved.map(({ id }) => id);
}
