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

const NO_ENVELOPE_METADATA = 'pluto:no-envelope';

/** Sends what the method returns as it is: pages, key sets, metrics. */
export const NoEnvelope = () => SetMetadata(NO_ENVELOPE_METADATA, true);

/** Returned by a controller instead of a body: the caller is sent elsewhere, with 302. */
export class Redirection {
  /** @param url not logged: it may hold a token */
  constructor(readonly url: string) {}
}

/** Wraps what API controllers return: `{"status":"ok","body":…}`, with `{}` where there is nothing to say. */
@Injectable()
export class EnvelopeInterceptor implements NestInterceptor {
  constructor(private readonly reflector: Reflector) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const hasEnvelope = !this.reflector.get<true | undefined>(NO_ENVELOPE_METADATA, context.getHandler());
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    return next.handle().pipe(
      map((body: unknown) => {
        if (body instanceof Redirection) return redirect(reply, body);
        return hasEnvelope ? { status: 'ok', body: body ?? {} } : body;
      }),
    );
  }
}

function redirect(reply: FastifyReply, { url }: Redirection): string {
  void reply.status(302).header('location', url);
  return '';
}
