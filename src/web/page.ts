import { applyDecorators, createParamDecorator, Header, type ExecutionContext } from '@nestjs/common';
import { ApiOperation, ApiProduces, ApiResponse } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Public } from '../common/access.js';
import { Bare } from '../common/envelope.interceptor.js';

interface PageOptions {
  summary: string;
  description: string;
}

/** A route whose answer is an HTML document. */
export function Page({ summary, description }: PageOptions): MethodDecorator {
  return applyDecorators(
    Public(),
    Bare(),
    Header('content-type', 'text/html; charset=utf-8'),
    ApiOperation({ summary, description }),
    ApiProduces('text/html'),
    ApiResponse({ status: 200, description: 'HTML page', schema: { type: 'string' } }),
    ApiResponse({
      status: 404,
      description: 'HTML page: the link is unknown, used or expired',
      schema: { type: 'string' },
    }),
  );
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
