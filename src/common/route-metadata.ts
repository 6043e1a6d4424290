import type { ExecutionContext, Type } from '@nestjs/common';
import { Reflector } from '@nestjs/core';

type Handler = ReturnType<ExecutionContext['getHandler']>;

const reflector = new Reflector();

/**
 * What a decorator says of routes, on the method or else on its controller. It is looked for once a route: guards ask at
 * every request.
 */
export class RouteMetadata<T> {
  private readonly known = new WeakMap<Type, WeakMap<Handler, T | undefined>>();

  constructor(private readonly key: string) {}

  /** @returns undefined where neither has the decorator */
  of(context: ExecutionContext): T | undefined {
    const [controller, handler] = [context.getClass(), context.getHandler()];
    let handlers = this.known.get(controller);
    if (!handlers) this.known.set(controller, (handlers = new WeakMap()));
    if (!handlers.has(handler))
      handlers.set(handler, reflector.getAllAndOverride<T | undefined>(this.key, [handler, controller]));
    return handlers.get(handler);
  }
}
