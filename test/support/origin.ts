import type { Origin } from '../../src/common/origin.js';

/** On whose behalf tests call services: a request of nobody in particular. */
export const NOBODYS_REQUEST: Origin = { requestId: 'a-test', address: '127.0.0.1', actor: null };
