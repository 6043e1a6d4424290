import { AsyncLocalStorage } from 'node:async_hooks';

const patience = new AsyncLocalStorage<true>();

/** Does work whose statements may take as long as they like: changes of the schema take minutes on large tables. */
export function withoutQueryTimeout<T>(work: () => Promise<T>): Promise<T> {
  return patience.run(true, work);
}

export function isPatient(): boolean {
  return patience.getStore() === true;
}
