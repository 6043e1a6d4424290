import { AuditEvent } from '../../src/audit/audit-event.entity.js';
import { nowSeconds } from '../../src/common/time.js';
import { strangers, strangersTokens, type Stranger } from '../support/administration.js';
import { addEvents } from '../support/audit.js';
import { expectFailure } from '../support/expectations.js';
import { admin, app, desk, list, useAuditRecords } from '../support/audit-records.js';

useAuditRecords();

describe('GET /v1/audit', () => {
  let tokens: Record<Stranger, string | undefined>;
  beforeAll(async () => {
    tokens = await strangersTokens(app, admin);
  });

  it.each(strangers)('refuses %s with %i %i', async (stranger, status, code) => {
    const token = tokens[stranger];
    expectFailure(await app.client.get('/v1/audit', token === undefined ? {} : { token }), status, code);
  });

  it('returns empty strings and 0 for missing values', async () => {
    const [id] = await addEvents(app, 1, { requestId: 'empty' });
    expect(await list({ request_id: 'empty' })).toEqual({
      events: [
        {
          id,
          at: expect.any(Number),
          type: 'key.rotated',
          app_id: '',
          user_id: 0,
          actor: { kind: 'system', user_id: 0, client: '' },
          address: '',
          request_id: 'empty',
          detail: {},
        },
      ],
      next_cursor: '',
    });
  });

  it('does not name deleted applications', async () => {
    await addEvents(app, 1, { applicationId: 2_000_000, requestId: 'orphan' });
    expect((await list({ request_id: 'orphan' })).events).toMatchObject([{ app_id: '' }]);
  });

  it('is newest first, 50 at a time', async () => {
    const now = nowSeconds();
    await addEvents(app, 60, (index) => ({ createdAt: now - 60 + index }));
    const { events } = await list();
    expect(events).toHaveLength(50);
    const places = events.map(({ at, id }) => [at, id] as const);
    expect(places).toEqual(places.toSorted(([at, id], [otherAt, otherId]) => otherAt - at || otherId - id));
  });

  describe('with filters', () => {
    const earlier = nowSeconds() - 100_000;
    let ids: number[];
    beforeAll(async () => {
      const kinds: Partial<AuditEvent>[] = [
        { type: 'login.failed', address: '198.51.100.1' },
        { type: 'login.succeeded', userId: 900_001, actorKind: 'user', actorId: 900_001 },
        { type: 'role.assigned', applicationId: desk.id, userId: 900_001, actorId: 900_002 },
        { type: 'role.changed', applicationId: desk.id, actorId: 900_002, address: '2001:db8::7' },
        { type: 'key.rotated', requestId: 'Filter_1.a-b' },
      ];
      ids = await addEvents(app, kinds.length, (index) => ({ ...kinds[index], createdAt: earlier + index }));
    });

    /** The events of this test that a query finds, oldest first; those of other tests are later. */
    const found = async (query: Record<string, string | number>) => {
      const { events } = await list({ until: earlier + 5, ...query });
      return events.map(({ id }) => ids.indexOf(id)).reverse();
    };

    it.each([
      ['type', { type: 'role.changed' }, [3]],
      ['app_id, by name', { app_id: 'org.example.desk' }, [2, 3]],
      ['app_id, without regard to case', { app_id: ' ORG.example.Desk ' }, [2, 3]],
      ['user_id', { user_id: 900_001 }, [1, 2]],
      ['actor_id', { actor_id: 900_002 }, [2, 3]],
      ['address', { address: '198.51.100.1' }, [0]],
      ['address of version 6', { address: '2001:db8::7' }, [3]],
      ['request_id', { request_id: 'Filter_1.a-b' }, [4]],
      ['since, that second included', { since: earlier + 2 }, [2, 3, 4]],
      ['until, that second excluded', { until: earlier + 2 }, [0, 1]],
      ['several at once', { user_id: 900_001, actor_id: 900_002, type: 'role.assigned' }, [2]],
      ['several that nothing meets', { user_id: 900_001, type: 'key.rotated' }, []],
      ['request_id of another case', { request_id: 'filter_1.a-b' }, []],
    ])('finds by %s', async (_name, query, expected) => {
      expect(await found(query)).toEqual(expected);
    });

    it('refuses an unknown application with 4005', async () => {
      expectFailure(await admin.get('/v1/audit?app_id=org.example.nowhere'), 403, 4005);
    });

    it.each([
      'type=login.unheard',
      'type=',
      'user_id=0',
      'user_id=ann',
      'actor_id=2147483648',
      'address=example.com',
      "address=1'%20OR%201=1",
      'request_id=a%20b',
      `request_id=${'a'.repeat(65)}`,
      'since=-1',
      'until=yesterday',
      'limit=0',
      'limit=201',
      'cursor=junk',
      'cursor=MTc5NTY1MTIwMA',
      `cursor=${Buffer.from('1.2.3').toString('base64url')}`,
      `cursor=${'a'.repeat(65)}`,
      'type=login.failed&type=key.rotated',
    ])('refuses ?%s with 1001', async (query) => {
      const name = query.split('=', 1)[0];
      const message = expect.stringMatching(new RegExp(`^Bad Request: ${name} must be `));
      expectFailure(await admin.get(`/v1/audit?${query}`), 400, 1001, message);
    });
  });

  describe('page by page', () => {
    it('returns each event once while others are recorded', async () => {
      const now = nowSeconds();
      const userId = 910_001;
      // Seven a second, so that pages end between events of the same second.
      const ids = await addEvents(app, 25, (index) => ({
        userId,
        createdAt: now - 10 + Math.floor(index / 7),
      }));
      const seen: number[] = [];
      const sizes: number[] = [];
      let cursor = '';
      do {
        const page = await list({ user_id: userId, limit: 10, cursor });
        seen.push(...page.events.map(({ id }) => id));
        sizes.push(page.events.length);
        cursor = page.next_cursor;
        await addEvents(app, 3, { userId, createdAt: now });
      } while (cursor !== '');
      expect(sizes).toEqual([10, 10, 5]);
      expect(seen).toEqual(ids.reverse());
    });

    it('continues at the same place when the event of its cursor is deleted', async () => {
      const userId = 910_002;
      const ids = await addEvents(app, 4, { userId });
      const { next_cursor } = await list({ user_id: userId, limit: 2 });
      await app.dataSource.manager.delete(AuditEvent, { id: ids[2] });
      const rest = await list({ user_id: userId, limit: 2, cursor: next_cursor });
      expect(rest.events.map(({ id }) => id)).toEqual([ids[1], ids[0]]);
      expect(rest.next_cursor).toBe('');
    });

    it('ends where the last page is full', async () => {
      const userId = 910_003;
      await addEvents(app, 4, { userId });
      const { events, next_cursor } = await list({ user_id: userId, limit: 4 });
      expect([events.length, next_cursor]).toEqual([4, '']);
    });
  });
});
