import {
  applyDecorators,
  createParamDecorator,
  Header,
  type ExecutionContext,
  type Type,
} from '@nestjs/common';
import { ApiExtraModels, ApiOperation, ApiParam, ApiProduces, ApiResponse } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Public } from '../common/access.js';
import { Bare } from '../common/envelope.interceptor.js';
import { successSchema } from '../common/operation.js';

interface PageOptions {
  summary: string;
  description: string;
  /** What is refused, by HTTP status. */
  refusals?: Record<number, string>;
  /** Where a browser is sent instead of being shown a page. */
  redirects?: string;
  /** What a client that asks for JSON gets in the envelope. */
  json?: Type;
}

/** What every page of a mailed link refuses. */
export const INVALID_LINK = { 404: 'the link is unknown, used or expired' };

/** A route whose answer is an HTML document. */
export function Page({ summary, description, refusals = {}, redirects, json }: PageOptions): MethodDecorator {
  return applyDecorators(
    Public(),
    Bare(),
    Header('content-type', 'text/html; charset=utf-8'),
    ApiOperation({ summary, description }),
    ...success(json),
    ...(redirects === undefined
      ? []
      : [ApiResponse({ status: 302, description: `A browser is sent on: ${redirects}` })]),
    ...Object.entries(refusals).map(([status, reason]) =>
      ApiResponse({
        status: Number(status),
        description: `HTML page: ${reason}`,
        schema: { type: 'string' },
      }),
    ),
  );
}

function success(json: Type | undefined): (ClassDecorator & MethodDecorator)[] {
  const page = { schema: { type: 'string' } };
  if (!json)
    return [ApiProduces('text/html'), ApiResponse({ status: 200, description: 'HTML page', ...page })];
  return [
    ApiExtraModels(json),
    ApiResponse({
      status: 200,
      description: 'For a client that asks for JSON',
      content: { 'application/json': { schema: successSchema(json) } },
    }),
  ];
}

/** The token of a mailed link in the address, as the document shows it. */
export function LinkToken(description: string): ClassDecorator & MethodDecorator {
  return ApiParam({
    name: 'token',
    description,
    schema: { type: 'string', example: 'Jq0s3kZ5v0cU9nF2m1bq7uYwXg4hT6eR8aKpLdVzQ_M' },
  });
}

/** The request and the reply of a page, as a controller's parameter. */
export interface Exchange {
  request: FastifyRequest;
  reply: FastifyReply;
}

export const CurrentExchange = createParamDecorator((_: unknown, context: ExecutionContext): Exchange => {
  const http = context.switchToHttp();
  return { request: http.getRequest<FastifyRequest>(), reply: http.getResponse<FastifyReply>() };
});
