import { applyDecorators, type Type } from '@nestjs/common';
import { ApiExtraModels, ApiOperation, ApiResponse, getSchemaPath } from '@nestjs/swagger';
import type { ErrorKey } from './errors.js';
import { ErrorAnswer, EVERYWHERE, failureResponses } from './failure-responses.js';

type Schema = NonNullable<
  Parameters<typeof ApiResponse>[0] extends infer O ? Extract<O, { schema: unknown }>['schema'] : never
>;

export interface OperationOptions {
  summary: string;
  description: string;
  /** What `body` holds on success; left out where there is nothing to say (`{}`). */
  answer?: Type | [Type] | Schema;
  /** Those that a schema given as `answer` refers to. */
  models?: Type[];
  /** The failures that this route adds to those that every route can give. */
  errors?: ErrorKey[];
  /** Whether a browser is shown its failures as pages. */
  isForBrowsers?: boolean;
}

/** The failures of every route that asks for an access token. */
export const TOKEN_ERRORS: ErrorKey[] = [
  'unauthorized',
  'invalidJwt',
  'jwtExpired',
  'invalidAccessToken',
  // To a token that a client got for itself.
  'userNotExist',
];

/** The failures of every route that asks for an administrator. */
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
    ApiOperation({ summary, description }),
    ApiExtraModels(ErrorAnswer, ...modelsOf(answer), ...models),
    ApiResponse({ status: 200, description: 'Success', schema: successSchema(answer) }),
    ...failureResponses([...errors, ...EVERYWHERE], { isForBrowsers }).map((response) =>
      ApiResponse(response),
    ),
  );
}

function modelsOf(answer: OperationOptions['answer']): Type[] {
  if (Array.isArray(answer)) return [answer[0]];
  return typeof answer === 'function' ? [answer] : [];
}

function successSchema(answer: OperationOptions['answer']): Schema {
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
