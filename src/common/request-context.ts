import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { addressOf } from './http/requests.js';

/** Who acts in a request, as authenticated. */
export interface Actor {
  /** The account of the access token. */
  userId: number;
  /** The OAuth client that got the token; null for a first-party login. */
  clientKey: string | null;
}

/** The request that caused an action, as log lines and security events name it. */
export interface RequestContext {
  requestId: string;
  /** The caller's IP address; `''` if a proxy sent none. */
  address: string;
  actor: Actor | null;
  /** The header, as it was sent. */
  acceptLanguage?: string | undefined;
}

export interface ContextRequest {
  id: string;
  ip: string;
  /** Set by the guard of access tokens. */
  user?: Actor;
  headers: Record<string, string | string[] | undefined>;
}

/** Call it after the guards have run: before, `actor` is not authenticated yet. */
export function readRequestContext(request: ContextRequest): RequestContext {
  const { 'accept-language': acceptLanguage } = request.headers;
  return {
    requestId: request.id,
    address: addressOf(request),
    actor: request.user ?? null,
    acceptLanguage: typeof acceptLanguage === 'string' ? acceptLanguage : undefined,
  };
}

/** The context of the request, as a controller's parameter; `CurrentCaller` includes it. */
export const CurrentRequestContext = createParamDecorator(
  (_: unknown, context: ExecutionContext): RequestContext =>
    readRequestContext(context.switchToHttp().getRequest<ContextRequest>()),
);
