import { applyDecorators, createParamDecorator, Header, type ExecutionContext } from '@nestjs/common';
import { ApiOperation, ApiParam, ApiProduces, ApiResponse } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Public } from '../common/access.js';
import { Bare } from '../common/envelope.interceptor.js';

interface PageOptions {
  summary: string;
  description: string;
  /** What is refused besides an invalid link, by HTTP status. */
  refusals?: Record<number, string>;
}

/** A route whose answer is an HTML document. */
export function Page({ summary, description, refusals = {} }: PageOptions): MethodDecorator {
  const notFound = { 404: 'the link is unknown, used or expired' };
  return applyDecorators(
    Public(),
    Bare(),
    Header('content-type', 'text/html; charset=utf-8'),
    ApiOperation({ summary, description }),
    ApiProduces('text/html'),
    ApiResponse({ status: 200, description: 'HTML page', schema: { type: 'string' } }),
    ...Object.entries({ ...refusals, ...notFound }).map(([status, reason]) =>
      ApiResponse({
        status: Number(status),
        description: `HTML page: ${reason}`,
        schema: { type: 'string' },
      }),
    ),
  );
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
