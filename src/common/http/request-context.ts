import { AsyncLocalStorage } from 'node:async_hooks';

const storage = new AsyncLocalStorage<{ requestId: string }>();

/** Runs what belongs to a request, so that every log line it writes carries the request's id. */
export function runInRequest(requestId: string, work: () => void): void {
  storage.run({ requestId }, work);
}

export function currentRequestId(): string | undefined {
  return storage.getStore()?.requestId;
}
