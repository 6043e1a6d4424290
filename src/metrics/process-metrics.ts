import { collectDefaultMetrics, Registry } from 'prom-client';

let shared: Registry | null = null;

/**
 * Memory, processor time, event loop and garbage collection. They are the process's, whatever applications are in it,
 * and what observes them cannot be ended: it is made once, when first asked for.
 */
export function processMetrics(): Registry {
  if (shared) return shared;
  shared = new Registry();
  collectDefaultMetrics({ register: shared });
  return shared;
}
