import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { addressOf } from './http/requests.js';

/** Who acts in a request, as far as it has said and proved it. */
export interface Actor {
  /** The account whose token it bears. */
  userId: number;
  /** The OAuth client that got the token; null for a first-party login. */
  clientKey: string | null;
}

/** The request on whose behalf something is done, as log lines and security events name it. */
export interface RequestContext {
  requestId: string;
  /** The caller's IP address; `''` when a proxy told none. */
  address: string;
  actor: Actor | null;
}

export interface ContextRequest {
  id: string;
  ip: string;
  /** Set by the guard of access tokens. */
  user?: Actor;
}

/** To be read once the guards have run: before them nobody has proved who acts. */
export function readRequestContext(request: ContextRequest): RequestContext {
  return { requestId: request.id, address: addressOf(request), actor: request.user ?? null };
}

/** The context of the request, as a controller's parameter; `CurrentCaller` tells it too. */
export const CurrentRequestContext = createParamDecorator(
  (_: unknown, context: ExecutionContext): RequestContext =>
    readRequestContext(context.switchToHttp().getRequest<ContextRequest>()),
);
