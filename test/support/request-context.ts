import type { RequestContext } from '../../src/common/request-context.js';

/** On whose behalf tests call services: a request of nobody in particular. */
export const NOBODYS_REQUEST: RequestContext = { requestId: 'a-test', address: '127.0.0.1', actor: null };
