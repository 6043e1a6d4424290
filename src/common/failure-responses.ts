import { ApiProperty, getSchemaPath } from '@nestjs/swagger';
import { errorCatalogue, type ErrorKey } from './errors.js';

class ErrorDetail {
  @ApiProperty({
    type: 'integer',
    description: 'Error code; every operation lists the codes it can return',
    example: 1001,
  })
  code: number;

  @ApiProperty({
    type: String,
    description: 'Message for developers; it may change',
    example: 'Bad Request: mail must be an email address of at most 254 characters',
  })
  message: string;
}

/** The body of every failure. */
export class ErrorAnswer {
  @ApiProperty({ type: String, enum: ['error'], description: 'Distinguishes a failure from a success' })
  status: 'error';

  @ApiProperty({ type: ErrorDetail, description: 'The failure' })
  error: ErrorDetail;
}

/** The failures of every route. */
export const EVERYWHERE: ErrorKey[] = ['badRequest', 'tooManyRequests', 'serverError', 'serviceUnavailable'];

interface FailureOptions {
  /** Whether browsers get a page instead. */
  isForBrowsers: boolean;
  /** What the page says, by HTTP status. */
  reasons?: Record<number, string>;
}

export interface FailureResponse {
  status: number;
  description: string;
  content: Record<string, { schema: object; examples?: Record<string, { value: unknown }> }>;
}

/** The failures for the OpenAPI document, one response per HTTP status. */
export function failureResponses(
  keys: ErrorKey[],
  { isForBrowsers, reasons = {} }: FailureOptions,
): FailureResponse[] {
  const statuses = new Set([
    ...keys.map((key) => errorCatalogue[key].status),
    ...Object.keys(reasons).map(Number),
  ]);
  return [...statuses]
    .sort((one, other) => one - other)
    .map((status) => {
      const own = [...new Set(keys)].filter((key) => errorCatalogue[key].status === status);
      const page: FailureResponse['content'] = isForBrowsers
        ? { 'text/html': { schema: { type: 'string' } } }
        : {};
      return {
        status,
        description: [
          ...(reasons[status] ? [`HTML page: ${reasons[status]}`] : []),
          ...own.map(describe),
        ].join('; '),
        content: { ...page, ...(own.length > 0 && { 'application/json': envelopesOf(own) }) },
      };
    });
}

function describe(key: ErrorKey): string {
  return `${errorCatalogue[key].code} ${errorCatalogue[key].message}`;
}

function envelopesOf(keys: ErrorKey[]): FailureResponse['content'][string] {
  const examples = keys.map((key) => {
    const { code, message } = errorCatalogue[key];
    return [key, { value: { status: 'error', error: { code, message } } }] as const;
  });
  return { schema: { $ref: getSchemaPath(ErrorAnswer) }, examples: Object.fromEntries(examples) };
}
