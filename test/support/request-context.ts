import type { RequestContext } from '../../src/common/request-context.js';

/** The request context with which tests call services. */
export const NOBODYS_REQUEST: RequestContext = { requestId: 'a-test', address: '127.0.0.1', actor: null };
