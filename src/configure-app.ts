import type { Socket } from 'node:net';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { FastifyCorsOptionsDelegate } from '@fastify/cors';
import fastifyCookie from '@fastify/cookie';
import fastifyStatic from '@fastify/static';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { AppModule } from './app.module.js';
import { errorEnvelope, PlutoError } from './common/errors.js';
import { ErrorFilter } from './common/http/error.filter.js';
import { addHooks, requestId } from './common/http/hooks.js';
import { isPagePath } from './common/http/requests.js';
import { RouteIndex } from './common/http/route-index.js';
import { toPlutoError } from './common/http/to-pluto-error.js';
import { NestLog } from './common/logging.js';
import { createValidationPipe } from './common/validation.pipe.js';
import { Views, viewsDirectory } from './common/views/views.js';
import type { Settings } from './config/settings.js';
import { serveApiDocument } from './openapi-document.js';
import { avatarsFolder } from './users/avatars.service.js';

const BODY_LIMIT_BYTES = 64 * 1024;
/** Room for an avatar as base64. */
const PROFILE_BODY_LIMIT_BYTES = 3 * 1024 * 1024;
const MAX_PARAM_LENGTH = 128;
const YEAR_MS = 365 * 24 * 60 * 60 * 1000;
const HOUR_MS = 60 * 60 * 1000;

/** Builds the HTTP application, ready to listen. */
export async function createApp(settings: Settings, log: Logger): Promise<NestFastifyApplication> {
  const adapter = new FastifyAdapter({
    bodyLimit: BODY_LIMIT_BYTES,
    trustProxy: settings.trustProxy.length > 0 ? settings.trustProxy : false,
    genReqId: requestId,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    frameworkErrors: refuseUnroutable,
    clientErrorHandler: refuseUnreadable,
  });
  const registered = watchRoutes(adapter.getInstance<FastifyInstance>());
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.forRoot(settings), adapter, {
    logger: new NestLog(log),
    abortOnError: false,
    forceCloseConnections: true,
  });
  const routes = app.get(RouteIndex);
  addHooks(adapter.getInstance<FastifyInstance>(), { isHttps: settings.publicUrl.startsWith('https:'), log });
  await app.register(fastifyCookie);
  await serveFiles(app, settings);
  app.useGlobalPipes(createValidationPipe());
  app.useGlobalFilters(new ErrorFilter(app.get(Views), routes));
  allowOrigins(app, settings.corsOrigins);
  serveApiDocument(app);
  await app.init();
  for (const { methods, path } of registered) routes.add(methods, path);
  return app;
}

interface RegisteredRoute {
  methods: string[];
  path: string;
}

/** Notes every route, and widens the one body limit that is wider. */
function watchRoutes(fastify: FastifyInstance): RegisteredRoute[] {
  const routes: RegisteredRoute[] = [];
  fastify.addHook('onRoute', (route) => {
    if (route.url === '/v1/user/info' && route.method === 'PUT') route.bodyLimit = PROFILE_BODY_LIMIT_BYTES;
    routes.push({ methods: [route.method].flat(), path: route.url });
  });
  return routes;
}

async function serveFiles(app: NestFastifyApplication, settings: Settings): Promise<void> {
  const picoDirectory = dirname(createRequire(import.meta.url).resolve('@picocss/pico/css/pico.min.css'));
  await app.register(fastifyStatic, {
    root: [join(viewsDirectory, 'assets'), picoDirectory],
    prefix: '/web/assets/',
    index: false,
    maxAge: HOUR_MS,
  });
  await app.register(fastifyStatic, {
    root: avatarsFolder(settings),
    prefix: '/avatars/',
    index: false,
    decorateReply: false,
    dotfiles: 'ignore',
    // A changed picture has a new name.
    maxAge: YEAR_MS,
    immutable: true,
  });
}

/** Browsers of those origins may call the API. It takes no cookie, so it is told to none to send one. */
function allowOrigins(app: NestFastifyApplication, origins: string[]): void {
  if (origins.length === 0) return;
  const origin = origins.includes('*') ? '*' : origins;
  const answerFor: FastifyCorsOptionsDelegate = (request, answer) =>
    answer(null, {
      origin: isPagePath(request.url) ? false : origin,
      methods: ['GET', 'POST', 'PUT'],
      exposedHeaders: ['x-request-id', 'retry-after'],
      maxAge: 600,
    });
  app.enableCors({ delegator: answerFor });
}

/** Answers what has no route because its address cannot be read. */
function refuseUnroutable(error: Error, _request: FastifyRequest, reply: FastifyReply): void {
  const refusal = toPlutoError(error);
  void reply.status(refusal.status).send(errorEnvelope(refusal));
}

/** Answers what is not HTTP, or too large a head, before there is a request. */
function refuseUnreadable(_error: Error, socket: Socket): void {
  if (!socket.writable) return void socket.destroy();
  const body = JSON.stringify(errorEnvelope(new PlutoError('badRequest')));
  socket.end(
    `HTTP/1.1 400 Bad Request\r\nContent-Type: application/json; charset=utf-8\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
