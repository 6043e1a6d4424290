import { applyDecorators, type Type } from '@nestjs/common';
import { ApiExtraModels, ApiOperation, ApiProperty, ApiResponse, getSchemaPath } from '@nestjs/swagger';
import { errorCatalogue, type ErrorKey } from './errors.js';

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
}

class ErrorDetail {
  @ApiProperty({
    type: 'integer',
    description: 'What went wrong; every operation lists the codes it answers with',
    example: 1001,
  })
  code: number;

  @ApiProperty({
    type: String,
    description: 'The same in words, for developers; it may change',
    example: 'Bad Request: mail takes a mail address of at most 254 characters',
  })
  message: string;
}

/** The body of every failure. */
export class ErrorAnswer {
  @ApiProperty({ type: String, enum: ['error'], description: 'What tells a failure from a success' })
  status: 'error';

  @ApiProperty({ type: ErrorDetail, description: 'The failure' })
  error: ErrorDetail;
}

/** The failures of every route that asks for an access token. */
export const TOKEN_ERRORS: ErrorKey[] = ['unauthorized', 'invalidJwt', 'jwtExpired', 'invalidAccessToken'];

/** The failures of every route that asks for an administrator. */
export const ADMIN_ERRORS: ErrorKey[] = [...TOKEN_ERRORS, 'notPlutoAdmin'];

const EVERYWHERE: ErrorKey[] = ['badRequest', 'tooManyRequests', 'serverError'];

/** Documents a JSON operation: summary, description, the success envelope and the failures by HTTP status. */
export function Operation({
  summary,
  description,
  answer,
  models = [],
  errors = [],
}: OperationOptions): MethodDecorator {
  return applyDecorators(
    ApiOperation({ summary, description }),
    ApiExtraModels(ErrorAnswer, ...modelsOf(answer), ...models),
    ApiResponse({ status: 200, description: 'Success', schema: successSchema(answer) }),
    ...errorResponses([...new Set([...errors, ...EVERYWHERE])]),
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

function errorResponses(keys: ErrorKey[]): MethodDecorator[] {
  const statuses = [...new Set(keys.map((key) => errorCatalogue[key].status))].sort();
  return statuses.map((status) => {
    const entries = keys
      .filter((key) => errorCatalogue[key].status === status)
      .map((key) => [key, errorCatalogue[key]] as const);
    return ApiResponse({
      status,
      description: entries.map(([, { code, message }]) => `${code} ${message}`).join('; '),
      content: {
        'application/json': {
          schema: { $ref: getSchemaPath(ErrorAnswer) },
          examples: Object.fromEntries(
            entries.map(([key, { code, message }]) => [
              key,
              { value: { status: 'error', error: { code, message } } },
            ]),
          ),
        },
      },
    });
  });
}
