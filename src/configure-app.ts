import { join } from 'node:path';
import type { FastifyCorsOptionsDelegate } from '@fastify/cors';
import fastifyCookie from '@fastify/cookie';
import fastifyStatic from '@fastify/static';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { AppModule } from './app.module.js';
import { PlutoError } from './common/errors.js';
import { EnvelopeAdapter } from './common/http/envelope.adapter.js';
import { ErrorFilter } from './common/http/error.filter.js';
import { addHooks, requestId, standInForHooks } from './common/http/hooks.js';
import { createJsonParser } from './common/http/json-body.js';
import { parseQuery } from './common/http/query-string.js';
import { isForPage } from './common/http/requests.js';
import { RouteIndex } from './common/http/route-index.js';
import { toPlutoError } from './common/http/to-pluto-error.js';
import { Traffic } from './common/http/traffic.js';
import { refuseUnreadable } from './common/http/unreadable.js';
import { NestLog } from './common/logging.js';
import { createValidationPipe } from './common/validation.pipe.js';
import { Views, viewsDirectory } from './common/views/views.js';
import type { Settings } from './config/settings.js';
import { isDatabaseUnavailable } from './database/database-error.js';
import { serveApiDocument } from './openapi-document.js';
import { avatarsFolder, isAvatarFile } from './users/avatars.service.js';

const BODY_LIMIT_BYTES = 64 * 1024;
/** Room for an avatar as base64. */
const PROFILE_BODY_LIMIT_BYTES = 3 * 1024 * 1024;
/** For a request to arrive whole; without it a client may take for ever to send one. */
const REQUEST_TIMEOUT_MS = 30_000;
const TIMEOUT_CHECK_MS = 1000;
/** Longer than proxies keep a connection (60 s mostly): who may send the next request is the one to close it. */
const KEEP_ALIVE_MS = 75_000;
const RETRY_AFTER_SECONDS = 5;
const MAX_PARAM_LENGTH = 128;
const YEAR_MS = 365 * 24 * 60 * 60 * 1000;
const HOUR_MS = 60 * 60 * 1000;

/** Builds the HTTP application, ready to listen. */
export async function createApp(settings: Settings, log: Logger): Promise<NestFastifyApplication> {
  const hookOptions = { isHttps: settings.publicUrl.startsWith('https:'), log };
  const adapter = new EnvelopeAdapter({
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    http: { headersTimeout: REQUEST_TIMEOUT_MS, connectionsCheckingInterval: TIMEOUT_CHECK_MS },
    keepAliveTimeout: KEEP_ALIVE_MS,
    // All are answered until the last connection is closed, and in the envelope.
    return503OnClosing: false,
    trustProxy: settings.trustProxy.length > 0 ? settings.trustProxy : false,
    genReqId: requestId,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH, querystringParser: parseQuery },
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) => {
      standInForHooks(request, reply, hookOptions);
      errors.send(error, request, reply);
    },
    clientErrorHandler: refuseUnreadable,
  });
  // Fastify reads it unasked.
  adapter.getInstance<FastifyInstance>().removeContentTypeParser('text/plain');
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.forRoot(settings), adapter, {
    logger: new NestLog(log),
    abortOnError: false,
  });
  const routes = app.get(RouteIndex);
  watchRoutes(adapter.getInstance<FastifyInstance>(), routes);
  const errors = new ErrorFilter(app.get(Views), routes, classify);
  addHooks(adapter.getInstance<FastifyInstance>(), app.get(Traffic), hookOptions);
  app.useBodyParser(
    'application/json',
    { bodyLimit: BODY_LIMIT_BYTES },
    createJsonParser(adapter.getInstance<FastifyInstance>()),
  );
  await app.register(fastifyCookie);
  await serveFiles(app, settings);
  app.useGlobalPipes(createValidationPipe());
  app.useGlobalFilters(errors);
  allowOrigins(app, settings.corsOrigins);
  serveApiDocument(app);
  await app.init();
  return app;
}

/** A database that cannot do its work will again sooner or later, and it is none of the client's doing. */
function classify(thrown: unknown): PlutoError {
  if (isBrokenOff(thrown) || !isDatabaseUnavailable(thrown)) return toPlutoError(thrown);
  return new PlutoError('serviceUnavailable', { retryAfterSeconds: RETRY_AFTER_SECONDS, cause: thrown });
}

/** Has the client gone before its body was read? It is ECONNRESET as with the database's, but Fastify gives it a status. */
function isBrokenOff(thrown: unknown): boolean {
  return (thrown as { statusCode?: unknown } | undefined)?.statusCode === 400;
}

/** Notes every route, and widens the one body limit that is wider. */
function watchRoutes(fastify: FastifyInstance, routes: RouteIndex): void {
  fastify.addHook('onRoute', (route) => {
    if (route.url === '/v1/user/info' && route.method === 'PUT') route.bodyLimit = PROFILE_BODY_LIMIT_BYTES;
    routes.add([route.method].flat(), route.url);
  });
}

async function serveFiles(app: NestFastifyApplication, settings: Settings): Promise<void> {
  await app.register(fastifyStatic, {
    root: join(viewsDirectory, 'assets'),
    prefix: '/web/assets/',
    index: false,
    maxAge: HOUR_MS,
  });
  await app.register(async (scope: FastifyInstance) => {
    // Not the plugin's `allowedPath`, which reads the whole folder at every request.
    scope.addHook('onRequest', (request, _reply, done) => {
      const { '*': file } = request.params as { '*': string };
      done(isAvatarFile(file) ? undefined : new PlutoError('pathNotFound'));
    });
    await scope.register(fastifyStatic, {
      root: avatarsFolder(settings),
      prefix: '/avatars/',
      index: false,
      decorateReply: false,
      // A changed picture has a new name.
      maxAge: YEAR_MS,
      immutable: true,
    });
  });
}

/** Browsers of those origins may call the API. It takes no cookie, so it is told to none to send one. */
function allowOrigins(app: NestFastifyApplication, origins: string[]): void {
  if (origins.length === 0) return;
  const origin = origins.includes('*') ? '*' : origins;
  const answerFor: FastifyCorsOptionsDelegate = (request, answer) =>
    answer(null, {
      origin: isForPage(request) ? false : origin,
      methods: ['GET', 'POST', 'PUT'],
      exposedHeaders: ['x-request-id', 'retry-after'],
      maxAge: 600,
    });
  app.enableCors({ delegator: answerFor });
}
