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
  /** Reasons for refusals, by HTTP status. */
  refusals?: Record<number, string>;
  /** Errors for a client that does not prefer HTML, in addition to those of every route. */
  errors?: ErrorKey[];
  /** Where a browser may be redirected instead of getting a page. */
  redirects?: string;
}

const HTML = 'text/html; charset=utf-8';

/** The refusal that all pages of mailed links share. */
export const INVALID_LINK = { 404: 'the link is unknown, used or expired' };

/** A route that returns an HTML document. */
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

/** The route of a form: redirects browsers, and answers clients that ask for JSON like the API. */
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

/** The response to a client that asks for JSON, in the envelope of the API. */
export function answerJson<T>({ reply }: Exchange, body: T): { status: 'ok'; body: T } {
  void reply.type('application/json; charset=utf-8');
  return { status: 'ok', body };
}

/** Documents the token of a mailed link in the path. */
export function LinkToken(description: string): ClassDecorator & MethodDecorator {
  return ApiParam({
    name: 'token',
    description,
    schema: { type: 'string', example: 'Jq0s3kZ5v0cU9nF2m1bq7uYwXg4hT6eR8aKpLdVzQ_M' },
  });
}

/** A form field as a string; anything else counts as empty. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** The request and reply of a page, as a controller parameter. */
export interface Exchange {
  request: FastifyRequest;
  reply: FastifyReply;
}

export const CurrentExchange = createParamDecorator((_: unknown, context: ExecutionContext): Exchange => {
  const http = context.switchToHttp();
  return { request: http.getRequest<FastifyRequest>(), reply: http.getResponse<FastifyReply>() };
});
