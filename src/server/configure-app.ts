import { join } from 'node:path';
import type { FastifyCorsOptionsDelegate } from '@fastify/cors';
import fastifyCookie from '@fastify/cookie';
import fastifyStatic from '@fastify/static';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { AppModule } from '../app.module.js';
import { PlutoError } from '../common/errors.js';
import { compressAnswers } from '../common/http/compression.js';
import { parseForm } from '../common/http/form-body.js';
import { addEnvelope } from '../common/http/envelope.js';
import { handleClientError, refuseExpectations } from '../common/http/client-error.js';
import { addHooks, applyHeadersAndAccessLog, requestIds } from '../common/http/hooks.js';
import { InFlightRequests } from '../common/http/in-flight-requests.js';
import { createJsonParser } from '../common/http/json-body.js';
import { EXPOSED_HEADERS, letPublicDocumentsBeKept } from '../common/http/public-documents.js';
import { isForPage, withoutEmptySegments } from '../common/http/requests.js';
import { RouteIndex } from '../common/http/route-index.js';
import { NestLog } from '../common/logging.js';
import { viewsDirectory } from '../common/views/views.js';
import type { Settings } from '../config/settings.js';
import { serveApiDocument } from './openapi-document.js';
import { avatarsFolder, isAvatarFile } from '../users/avatars.service.js';

const BODY_LIMIT_BYTES = 64 * 1024;
/** Fits a thousand ids of `GET /v1/user/info/public` however they are spelled; Node's own limit is 16 KiB. */
const HEAD_LIMIT_BYTES = 32 * 1024;
/** Timeout for a complete request; without it a slow client could hold a connection forever. */
const REQUEST_TIMEOUT_MS = 30_000;
const TIMEOUT_CHECK_MS = 1000;
/**
 * Longer than the keep-alive of proxies (mostly 60 s), so that the proxy closes idle connections, not the
 * server.
 */
const KEEP_ALIVE_MS = 75_000;
const MAX_PARAM_LENGTH = 128;
const YEAR_MS = 365 * 24 * 60 * 60 * 1000;
const HOUR_MS = 60 * 60 * 1000;

/** Builds the HTTP application, ready to listen. */
export async function createApp(settings: Settings, log: Logger): Promise<NestFastifyApplication> {
  const hookOptions = { isHttps: settings.publicUrl.startsWith('https:'), log };
  const adapter = new FastifyAdapter({
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    http: {
      headersTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
      maxHeaderSize: HEAD_LIMIT_BYTES,
      requireHostHeader: false,
    },
    rewriteUrl: ({ url = '/' }) => withoutEmptySegments(url),
    keepAliveTimeout: KEEP_ALIVE_MS,
    // Requests are answered, in the envelope, until the last connection is closed.
    return503OnClosing: false,
    trustProxy: settings.trustProxy.length > 0 ? settings.trustProxy : false,
    genReqId: requestIds(settings.trustProxy),
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    frameworkErrors: (error: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
      applyHeadersAndAccessLog(request, reply, hookOptions);
      request.server.errorHandler(error, request, reply);
    },
    clientErrorHandler: handleClientError,
  });
  const fastify = adapter.getInstance<FastifyInstance>();
  // Fastify reads plain text by default.
  fastify.removeContentTypeParser('text/plain');
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.forRoot(settings), adapter, {
    logger: new NestLog(log),
    abortOnError: false,
  });
  watchRoutes(fastify, app.get(RouteIndex));
  addEnvelope(fastify);
  letPublicDocumentsBeKept(fastify);
  refuseExpectations(fastify.server);
  addHooks(fastify, app.get(InFlightRequests), hookOptions);
  app.useBodyParser('application/json', { bodyLimit: BODY_LIMIT_BYTES }, createJsonParser(fastify));
  app.useBodyParser('application/x-www-form-urlencoded', { bodyLimit: BODY_LIMIT_BYTES }, parseForm);
  await compressAnswers(fastify);
  await app.register(fastifyCookie);
  await serveFiles(app, settings);
  allowOrigins(app, settings.corsOrigins);
  serveApiDocument(app);
  await app.init();
  return app;
}

/** Records every route and applies its own body limit, if it has one. */
function watchRoutes(fastify: FastifyInstance, routes: RouteIndex): void {
  fastify.addHook('onRoute', (route) => {
    const limit = route.config?.bodyLimitBytes;
    if (limit !== undefined) route.bodyLimit = limit;
    // The CORS plugin's route for preflight requests is not a path of the API.
    if (route.url === '*') return;
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
    // Not by the plugin's `allowedPath`, which reads the whole folder for every request.
    scope.addHook('onRequest', (request, _reply, done) => {
      const { '*': file } = request.params as { '*': string };
      done(isAvatarFile(file) ? undefined : new PlutoError('pathNotFound'));
    });
    await scope.register(fastifyStatic, {
      root: avatarsFolder(settings),
      prefix: '/avatars/',
      index: false,
      decorateReply: false,
      // A changed avatar gets a new file name.
      maxAge: YEAR_MS,
      immutable: true,
    });
  });
}

/**
 * Allows the API to the given origins; `public-documents.ts` opens public documents to all. The API uses no
 * cookies, so credentials are not allowed. An OPTIONS request that is not a preflight is handled like any
 * other method.
 */
function allowOrigins(app: NestFastifyApplication, origins: string[]): void {
  if (origins.length === 0) return;
  const answerFor: FastifyCorsOptionsDelegate = (request, answer) =>
    answer(null, {
      origin: isForPage(request) ? false : origins.includes('*') ? '*' : origins,
      preflight: isPreflight(request),
      methods: ['GET', 'POST', 'PUT'],
      exposedHeaders: EXPOSED_HEADERS,
      maxAge: 600,
    });
  app.enableCors({ delegator: answerFor });
}

function isPreflight({ headers }: FastifyRequest): boolean {
  return headers.origin !== undefined && headers['access-control-request-method'] !== undefined;
}
