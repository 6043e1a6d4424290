import { collectDefaultMetrics, Registry } from 'prom-client';

let shared: Registry | null = null;

/**
 * Memory, CPU time, event loop and garbage collection. They belong to the process, not to an application, and
 * their observers cannot be stopped, so they are created once, at first use.
 */
export function processMetrics(): Registry {
  if (shared) return shared;
  shared = new Registry();
  collectDefaultMetrics({ register: shared });
  return shared;
}
