import { STATUS_CODES } from 'node:http';
import type { OpenAPIObject } from '@nestjs/swagger';
import { isPublicDocumentPath } from '../common/http/public-documents.js';

const JSON_TYPE = 'application/json';
const HEADERS_AT = '#/components/headers/';
const SCHEMAS_AT = '#/components/schemas/';

const HEADERS = {
  RequestId: {
    description: 'Id of the request, also in the log and the audit trail',
    schema: { type: 'string', example: '0b0f2c0e-6f6b-4d6e-9d58-0c5a6f1c3f11' },
  },
  RetryAfter: {
    description: 'Seconds to wait before the next try',
    schema: { type: 'integer', minimum: 0, maximum: 86_400, example: 10 },
  },
  Challenge: {
    description:
      '`Bearer` for users; `Basic` for OAuth clients that used it, none for others (RFC 6749 section 5.2)',
    schema: { type: 'string', example: 'Bearer' },
  },
  Location: {
    description: 'Where the browser is sent on',
    schema: { type: 'string', format: 'uri-reference', example: 'https://client.example/back?code=c0de' },
  },
  ETag: {
    description: 'Version of the document, for If-None-Match',
    schema: { type: 'string', example: 'W/"Jq0s3kZ5v0cU9nF2m1bq7uYwXg4hT6eR8aKpLdVzQ_M"' },
  },
  CacheControl: {
    description: 'How long the document may be kept',
    schema: { type: 'string', example: 'public, max-age=300' },
  },
};

/** The headers of a response by its status; those of public documents come in addition. */
const HEADERS_OF_STATUS: Record<string, Record<string, keyof typeof HEADERS>> = {
  302: { Location: 'Location' },
  401: { 'WWW-Authenticate': 'Challenge' },
  429: { 'Retry-After': 'RetryAfter' },
  503: { 'Retry-After': 'RetryAfter' },
};
const HEADERS_OF_DOCUMENT = { ETag: 'ETag', 'Cache-Control': 'CacheControl' } as const;

/**
 * Gives every response its headers, and every failure a model of its own that lists its codes, so that a
 * typed client can tell whether it handles all of them.
 */
export function describeResponses(document: OpenAPIObject): OpenAPIObject {
  const failures: Record<string, object> = {};
  for (const [path, item] of Object.entries(document.paths)) {
    for (const { operationId, responses } of operationsOf(item)) {
      for (const [status, response] of Object.entries(responses)) {
        response.headers = headersOf(path, status);
        const json = response.content?.[JSON_TYPE];
        if (Number(status) < 400 || !json?.examples) continue;
        const name = failureName(operationId, status, Object.keys(json.examples));
        failures[name] = failureModel(name, json.examples);
        json.schema = { $ref: SCHEMAS_AT + name };
      }
    }
  }
  const { schemas, ...components } = document.components ?? {};
  const known = { ...schemas, ...failures } as typeof schemas;
  return { ...document, components: { ...components, schemas: known, headers: HEADERS } };
}

function headersOf(path: string, status: string): Record<string, object> {
  const names = {
    'X-Request-Id': 'RequestId',
    ...HEADERS_OF_STATUS[status],
    ...(status === '200' && isPublicDocumentPath(path) && HEADERS_OF_DOCUMENT),
  };
  return Object.fromEntries(
    Object.entries(names).map(([header, name]) => [header, { $ref: HEADERS_AT + name }]),
  );
}

/** Operations share the model of a failure with one code; of several codes, each operation has its own. */
function failureName(operationId: string, status: string, keys: string[]): string {
  if (keys.length === 1) return `${capitalized(keys[0]!)}Failure`;
  return capitalized(operationId) + STATUS_CODES[status]!.replaceAll(/[^A-Za-z]/g, '');
}

/**
 * An `ErrorAnswer` with its codes. The second part repeats the whole, so that generators that merge the parts
 * lose no field, and validators may forbid others.
 */
function failureModel(name: string, examples: Record<string, FailureExample>): object {
  const errors = Object.values(examples).map(({ value }) => value.error);
  const codes = errors.map(({ code }) => code);
  const properties = {
    code: {
      type: 'integer',
      format: 'int64',
      description: 'Error code',
      enum: codes,
      'x-enum-varnames': Object.keys(examples),
    },
    message: {
      type: 'string',
      description: 'Message for developers; it may change',
      example: errors[0]!.message,
    },
  };
  const error = { ...objectOf('The failure', properties), title: `${name}Error` };
  const status = { type: 'string', enum: ['error'], description: 'Distinguishes a failure from a success' };
  const description = `A failure with one of the codes ${codes.join(', ')}`;
  return {
    description,
    allOf: [{ $ref: `${SCHEMAS_AT}ErrorAnswer` }, objectOf(description, { status, error })],
  };
}

function objectOf(description: string, properties: Record<string, object>): object {
  return { type: 'object', description, required: Object.keys(properties), properties };
}

function capitalized(text: string): string {
  return text[0]!.toUpperCase() + text.slice(1);
}

interface FailureExample {
  value: { error: { code: number; message: string } };
}

interface DescribedOperation {
  operationId: string;
  responses: Record<
    string,
    {
      headers?: object;
      content?: Record<string, { schema: object; examples?: Record<string, FailureExample> }>;
    }
  >;
}

function operationsOf({
  get,
  post,
  put,
  delete: remove,
}: OpenAPIObject['paths'][string]): DescribedOperation[] {
  return [get, post, put, remove].filter((one) => one !== undefined) as unknown as DescribedOperation[];
}
