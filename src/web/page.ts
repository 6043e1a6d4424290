import { applyDecorators, createParamDecorator, Header, type ExecutionContext } from '@nestjs/common';
import { ApiExtraModels, ApiOperation, ApiParam, ApiPropertyOptional, ApiResponse } from '@nestjs/swagger';
import { Allow } from 'class-validator';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Public } from '../common/access.js';
import { NoEnvelope } from '../common/http/envelope.js';
import type { ErrorKey } from '../common/errors.js';
import { ErrorAnswer, EVERYWHERE, failureResponses } from '../common/failure-responses.js';
import { Operation, successSchema, type OperationOptions } from '../common/operation.js';

interface PageOptions {
  summary: string;
  description: string;
  /** Reasons for refusals, by HTTP status. */
  refusals?: Record<number, string>;
  /** Errors for a client that does not prefer HTML, in addition to those of every route. */
  errors?: ErrorKey[];
  /** Whether it processes a form: clients that do not prefer HTML get `{}` in the envelope instead. */
  isOfForm?: boolean;
  /** Where a browser may be redirected instead of getting a page. */
  redirects?: string;
}

const HTML = 'text/html; charset=utf-8';
const HTML_PAGE = { description: 'HTML page', content: { 'text/html': { schema: { type: 'string' } } } };
/** See `prefersHtml`. */
const RULE =
  'a client whose Accept prefers text/html to application/json gets HTML, any other, also with */*, gets JSON, ' +
  'here and for every failure';
const DONE = {
  status: 200,
  description: `HTML page or an empty answer: ${RULE}`,
  content: { ...HTML_PAGE.content, 'application/json': { schema: successSchema(undefined) } },
};

/** The refusal that all pages of mailed links share. */
export const INVALID_LINK = { 404: 'the link is unknown, used or expired' };

/** A route that returns an HTML document. */
export function Page({
  summary,
  description,
  refusals = {},
  errors = [],
  isOfForm = false,
  redirects,
}: PageOptions): MethodDecorator {
  return applyDecorators(
    Public(),
    NoEnvelope(),
    Header('content-type', HTML),
    ApiOperation({ summary, description }),
    ApiResponse(isOfForm ? DONE : { status: 200, ...HTML_PAGE }),
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

/** `{}` in the envelope of the API. */
export type EmptyAnswer = { status: 'ok'; body: object };

/** The response to a client that asks for JSON, in the envelope of the API. */
export function answerJson<T>({ reply }: Exchange, body: T): { status: 'ok'; body: T } {
  void reply.type('application/json; charset=utf-8');
  return { status: 'ok', body };
}

/**
 * The field by which a form proves that it was shown to the same browser. The guards check it, so that a form
 * without it is 403 rather than 400.
 */
export function PageToken(): PropertyDecorator {
  return applyDecorators(
    Allow(),
    ApiPropertyOptional({
      type: String,
      description:
        'Page token: the hidden field `_csrf` of the form that the page shows, sent with the cookie that came ' +
        'with it. Without it the form is refused; only a sign-in that is answered in JSON needs none',
      example: 'mD2xqT0i-3hVZ0mUQy3sYF0bq2uYwXg4hT6e',
    }),
  );
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
