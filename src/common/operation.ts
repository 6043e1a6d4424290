import { applyDecorators, type Type } from '@nestjs/common';
import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js';
import { ApiExtraModels, ApiOperation, ApiResponse, getSchemaPath } from '@nestjs/swagger';
import type { ErrorKey } from './errors.js';
import { ErrorAnswer, EVERYWHERE, failureResponses } from './failure-responses.js';
import { NoRequestBody } from './http/route-options.js';

type Schema = NonNullable<
  Parameters<typeof ApiResponse>[0] extends infer O ? Extract<O, { schema: unknown }>['schema'] : never
>;

export interface OperationOptions {
  summary: string;
  description: string;
  /** The `body` on success; left out if it is empty (`{}`). */
  answer?: Type | [Type] | Schema;
  /** Models that a schema given as `answer` refers to. */
  models?: Type[];
  /** The failures of this route in addition to those of every route. */
  errors?: ErrorKey[];
  /** Whether browsers get its failures as pages. */
  isForBrowsers?: boolean;
}

/** The failures of every route that requires an access token. */
export const TOKEN_ERRORS: ErrorKey[] = [
  'unauthorized',
  'invalidJwt',
  'jwtExpired',
  'invalidAccessToken',
  // For a token of the client credentials grant.
  'userNotExist',
];

/** The failures of every route that requires an administrator. */
export const ADMIN_ERRORS: ErrorKey[] = [...TOKEN_ERRORS, 'notPlutoAdmin'];

/** Documents a JSON operation: summary, description, the success envelope and the failures by HTTP status. */
export function Operation({
  summary,
  description,
  answer,
  models = [],
  errors = [],
  isForBrowsers = false,
}: OperationOptions): MethodDecorator {
  return applyDecorators(
    ignoreBodyOfNone,
    ApiOperation({ summary, description }),
    ApiExtraModels(ErrorAnswer, ...modelsOf(answer), ...models),
    ApiResponse({ status: 200, description: 'Success', schema: successSchema(answer) }),
    ...failureResponses([...errors, ...EVERYWHERE], { isForBrowsers }).map((response) =>
      ApiResponse(response),
    ),
  );
}

/** A method without a `@Body()` has no use for a body, so none can be wrong. */
const ignoreBodyOfNone: MethodDecorator = (prototype, name, descriptor) => {
  const parameters = Reflect.getMetadata(ROUTE_ARGS_METADATA, prototype.constructor, name) as
    Record<string, unknown> | undefined;
  const readsBody = Object.keys(parameters ?? {}).some((key) => key.startsWith(`${RouteParamtypes.BODY}:`));
  if (!readsBody) NoRequestBody()(prototype, name, descriptor);
};

function modelsOf(answer: OperationOptions['answer']): Type[] {
  if (Array.isArray(answer)) return [answer[0]];
  return typeof answer === 'function' ? [answer] : [];
}

/** The envelope around an answer; around `{}` if it is undefined. */
export function successSchema(answer: OperationOptions['answer']): Schema {
  return {
    type: 'object',
    required: ['status', 'body'],
    properties: { status: { type: 'string', enum: ['ok'] }, body: bodySchema(answer) },
  };
}

function bodySchema(answer: OperationOptions['answer']): Schema {
  if (answer === undefined) return { type: 'object', example: {} };
  if (Array.isArray(answer)) return { type: 'array', items: { $ref: getSchemaPath(answer[0]) } };
  return typeof answer === 'function' ? { $ref: getSchemaPath(answer) } : answer;
}
