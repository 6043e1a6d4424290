import { AsyncLocalStorage } from 'node:async_hooks';
import { isIP } from 'node:net';

/** Who acts in a request, as far as it has said and proved it. */
export interface Actor {
  /** The account whose token it bears. */
  userId: number;
  /** The OAuth client that got the token; null for a first-party login. */
  clientKey: string | null;
}

interface RequestContext {
  requestId: string;
  /** The caller's IP address; `''` when a proxy told none. */
  address: string;
  actor: Actor | null;
}

const storage = new AsyncLocalStorage<RequestContext>();

/** Runs what belongs to a request, so that every log line and security event of it carries its id and its caller. */
export function runInRequest(request: { id: string; ip: string }, work: () => void): void {
  storage.run({ requestId: request.id, address: addressOf(request), actor: null }, work);
}

/** The request on whose behalf the present code runs; null in background work and in commands. */
export function currentRequest(): Readonly<RequestContext> | null {
  return storage.getStore() ?? null;
}

/** Notes who acts in the present request. */
export function actAs(actor: Actor): void {
  const context = storage.getStore();
  if (context) context.actor = actor;
}

/** The caller's IP address; `''` where a proxy's header said something else. */
export function addressOf({ ip }: { ip: string }): string {
  // Without the zone of an IPv6 address, which is any text (RFC 4007 section 11.2).
  return isIP(ip) ? ip.replace(/%.*$/, '') : '';
}
