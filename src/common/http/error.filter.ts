import { Catch, Inject, Injectable, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { errorEnvelope, PlutoError } from '../errors.js';
import { chooseLanguage } from '../languages.js';
import { storageFault } from '../storage-fault.js';
import { Views, type ErrorReason } from '../views/views.js';
import { RouteIndex } from './route-index.js';
import { isForPage, isProbe, pathOf, prefersHtml } from './requests.js';

const pageReasons: Record<number, ErrorReason> = {
  403: 'forbidden',
  413: 'tooLarge',
  429: 'tooManyRequests',
  500: 'server',
  503: 'unavailable',
};

/** During an outage every request fails with one of these. */
const DATABASE_AWAY = 'DATABASE_AWAY';

/**
 * Maps whatever was thrown to an error of the catalogue; provided by the application, which knows all error
 * types.
 */
export const CLASSIFY_ERROR = Symbol('classify-error');
export type ClassifyError = (thrown: unknown) => PlutoError;

/** Turns everything thrown into the error response: the envelope, or a page for browsers. */
@Injectable()
@Catch()
export class ErrorFilter implements ExceptionFilter {
  private readonly logger = new Logger('Errors');

  constructor(
    private readonly views: Views,
    private readonly routes: RouteIndex,
    @Inject(CLASSIFY_ERROR) private readonly classify: ClassifyError,
  ) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    const classified = this.classify(thrown);
    const allowed = this.methodsInstead(classified, request);
    const error = allowed.length > 0 ? new PlutoError('methodNotAllowed') : classified;
    if (error.status >= 500) this.report(error, request);
    if (reply.sent) return;
    void reply.status(error.status).header('cache-control', 'no-store');
    if (allowed.length > 0) void reply.header('allow', allowed.join(', '));
    if (error.retryAfterSeconds !== undefined) void reply.header('retry-after', error.retryAfterSeconds);
    const challenge = error.status === 401 ? challengeOf(request) : undefined;
    if (challenge !== undefined) void reply.header('www-authenticate', challenge);
    if (isForPage(request) && prefersHtml(request)) {
      void reply.type('text/html; charset=utf-8').send(this.page(error, request));
    } else {
      void reply.type('application/json; charset=utf-8').send(errorEnvelope(error));
    }
  }

  private report(error: PlutoError, request: FastifyRequest): void {
    const { id: requestId } = request;
    // Logged once when the database becomes unreachable, and once when it answers again.
    if ((error.cause as { code?: unknown } | undefined)?.code === DATABASE_AWAY) return;
    if (error.key === 'serviceUnavailable' && isProbe(request)) return this.reportNotReady(error, requestId);
    const fault = storageFault(error.cause);
    if (fault !== null) this.logger.error({ msg: `disk error: ${fault}`, requestId });
    const err = error.cause ?? error;
    this.logger.error({
      msg: err instanceof Error ? err.name : 'a value other than an Error was thrown',
      err,
      requestId,
    });
  }

  /** A probe that finds the server not ready is answered as it should be; during a stop there is no cause. */
  private reportNotReady({ cause }: PlutoError, requestId: string): void {
    if (cause instanceof Error) this.logger.warn({ msg: 'not ready', reason: cause.message, requestId });
  }

  /** The methods of the path, if the error is that it does not have this method. */
  private methodsInstead(error: PlutoError, request: FastifyRequest): string[] {
    const allowed = this.routes.allowedMethods(pathOf(request.url));
    if (error.key === 'methodNotAllowed') return allowed.filter((method) => method !== request.method);
    if (error.key !== 'pathNotFound' || !request.is404) return [];
    // A route with this method looked for something, such as a file, and found none.
    return allowed.includes(request.method) ? [] : allowed;
  }

  private page(error: PlutoError, request: FastifyRequest): string {
    const language = chooseLanguage(request.headers['accept-language']);
    if (error.status === 404)
      return this.views.renderPage('not-found', language, { applicationName: 'Pluto' });
    return this.views.renderPage('error', language, {
      applicationName: 'Pluto',
      status: error.status,
      requestId: request.id,
      reason: error.page ?? pageReasons[error.status] ?? 'badRequest',
    });
  }
}

/**
 * The challenge for users (RFC 6750 section 3). Clients get a Basic challenge only if they used Basic (RFC
 * 6749 section 5.2), since browsers show a password dialog for it.
 */
function challengeOf({ routeOptions, headers }: FastifyRequest): string | undefined {
  if (!routeOptions.config.authenticatesClients) return 'Bearer';
  return /^basic\b/i.test(headers.authorization ?? '') ? 'Basic realm="Pluto", charset="UTF-8"' : undefined;
}
