import { applyDecorators, createParamDecorator, Header, type ExecutionContext } from '@nestjs/common';
import { ApiExtraModels, ApiOperation, ApiParam, ApiProduces, ApiResponse } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Public } from '../common/access.js';
import { NoEnvelope } from '../common/http/envelope.js';
import type { ErrorKey } from '../common/errors.js';
import { ErrorAnswer, EVERYWHERE, failureResponses } from '../common/failure-responses.js';
import { Operation, type OperationOptions } from '../common/operation.js';

interface PageOptions {
  summary: string;
  description: string;
  /** What is refused, by HTTP status. */
  refusals?: Record<number, string>;
  /** The same for a client that does not prefer HTML, beside what every route can give. */
  errors?: ErrorKey[];
  /** Where a browser is sent instead of being shown a page. */
  redirects?: string;
}

const HTML = 'text/html; charset=utf-8';

/** What every page of a mailed link refuses. */
export const INVALID_LINK = { 404: 'the link is unknown, used or expired' };

/** A route whose answer is an HTML document. */
export function Page({
  summary,
  description,
  refusals = {},
  errors = [],
  redirects,
}: PageOptions): MethodDecorator {
  return applyDecorators(
    Public(),
    NoEnvelope(),
    Header('content-type', HTML),
    ApiOperation({ summary, description }),
    ApiProduces('text/html'),
    ApiResponse({ status: 200, description: 'HTML page', schema: { type: 'string' } }),
    ...(redirects === undefined ? [] : [redirectResponse(redirects)]),
    ApiExtraModels(ErrorAnswer),
    ...failureResponses([...errors, ...EVERYWHERE], { isForBrowsers: true, reasons: refusals }).map(
      (response) => ApiResponse(response),
    ),
  );
}

/** A form's route, which sends browsers on, and answers a client that asks for JSON like the API. */
export function FormTarget({
  redirects,
  ...operation
}: OperationOptions & { redirects: string }): MethodDecorator {
  return applyDecorators(
    Public(),
    NoEnvelope(),
    Header('content-type', HTML),
    Operation({ ...operation, isForBrowsers: true }),
    redirectResponse(redirects),
  );
}

function redirectResponse(redirects: string): MethodDecorator {
  return ApiResponse({ status: 302, description: `A browser is sent on: ${redirects}` });
}

/** The answer to a client that asks for JSON, in the envelope of the API. */
export function answerJson<T>({ reply }: Exchange, body: T): { status: 'ok'; body: T } {
  void reply.type('application/json; charset=utf-8');
  return { status: 'ok', body };
}

/** The token of a mailed link in the address, as the document shows it. */
export function LinkToken(description: string): ClassDecorator & MethodDecorator {
  return ApiParam({
    name: 'token',
    description,
    schema: { type: 'string', example: 'Jq0s3kZ5v0cU9nF2m1bq7uYwXg4hT6eR8aKpLdVzQ_M' },
  });
}

/** A field of a form as text; what is none is as good as empty. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
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
