import {
  Injectable,
  SetMetadata,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyReply } from 'fastify';
import { map, type Observable } from 'rxjs';
import { Redirection } from './redirection.js';

const BARE_METADATA = 'pluto:bare';

/** Sends what the controller returns as it is: pages, key sets, probes. */
export const Bare = () => SetMetadata(BARE_METADATA, true);

/** Wraps what API controllers return: `{"status":"ok","body":…}`, with `{}` where there is nothing to say. */
@Injectable()
export class EnvelopeInterceptor implements NestInterceptor {
  constructor(private readonly reflector: Reflector) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const isBare = this.reflector.getAllAndOverride<boolean>(BARE_METADATA, [
      context.getHandler(),
      context.getClass(),
    ]);
    return next.handle().pipe(
      map((body: unknown) => {
        if (!(body instanceof Redirection)) return isBare ? body : { status: 'ok', body: body ?? {} };
        const reply = context.switchToHttp().getResponse<FastifyReply>();
        void reply.status(302).header('location', body.url);
        return '';
      }),
    );
  }
}
