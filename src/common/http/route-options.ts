import { RouteConfig } from '@nestjs/platform-fastify';
import { FASTIFY_ROUTE_CONFIG_METADATA } from '@nestjs/platform-fastify/constants.js';
import type { FastifyContextConfig } from 'fastify';

declare module 'fastify' {
  interface FastifyContextConfig {
    bodyLimitBytes?: number;
    acceptsForms?: boolean;
    hasNoBody?: boolean;
    isNotCompressed?: boolean;
    authenticatesClients?: boolean;
    hasNoEnvelope?: boolean;
  }
}

/** Allows larger bodies than other routes have. */
export const BodyLimit = (bytes: number): MethodDecorator => routeOption({ bodyLimitBytes: bytes });

/** Accepts forms in addition to JSON (RFC 6749 section 4). */
export const AcceptsForms = (): MethodDecorator => routeOption({ acceptsForms: true });

/** Ignores the body, which the operation does not have; see `dropBody`. */
export const NoRequestBody = (): MethodDecorator => routeOption({ hasNoBody: true });

/** Challenges clients, not users, to authenticate (RFC 6749 section 5.2). */
export const ClientChallenge = (): MethodDecorator => routeOption({ authenticatesClients: true });

/** `RouteConfig` alone would replace what another decorator of the method has set. */
export function routeOption(added: FastifyContextConfig): MethodDecorator {
  return (prototype, name, descriptor) => {
    const method = descriptor.value as object;
    const earlier = Reflect.getMetadata(FASTIFY_ROUTE_CONFIG_METADATA, method) as
      FastifyContextConfig | undefined;
    RouteConfig({ ...earlier, ...added })(prototype, name, descriptor);
  };
}
