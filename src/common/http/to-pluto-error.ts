import { types } from 'node:util';
import { HttpException } from '@nestjs/common';
import { storageFault } from '../storage-fault.js';
import { PlutoError, type ErrorKey } from '../errors.js';

const UNREADABLE_BODY = 'Bad Request: the body is not valid JSON';

/** Fastify's own errors that a client can cause. */
const fastifyErrors: Record<string, { key: ErrorKey; message?: string }> = {
  FST_ERR_CTP_INVALID_JSON_BODY: { key: 'badRequest', message: UNREADABLE_BODY },
  FST_ERR_CTP_EMPTY_JSON_BODY: { key: 'badRequest', message: 'Bad Request: the body is empty' },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: { key: 'badRequest', message: 'Bad Request: Content-Length is wrong' },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: { key: 'unsupportedContentType' },
  FST_ERR_CTP_INVALID_TYPE: { key: 'unsupportedContentType' },
  FST_ERR_CTP_BODY_TOO_LARGE: { key: 'bodyTooLarge' },
  FST_ERR_BAD_URL: { key: 'badRequest', message: 'Bad Request: the address is not a valid URL' },
};

const statusErrors: Record<number, ErrorKey> = {
  404: 'pathNotFound',
  405: 'methodNotAllowed',
  413: 'bodyTooLarge',
  415: 'unsupportedContentType',
  503: 'serviceUnavailable',
};

/** Maps whatever was thrown to an error of the catalogue; everything unknown is a `serverError`. */
export function toPlutoError(thrown: unknown): PlutoError {
  if (thrown instanceof PlutoError) return thrown;
  const { code, status } = describe(thrown);
  const known = code === undefined ? undefined : fastifyErrors[code];
  if (known)
    return new PlutoError(known.key, { ...(known.message && { message: known.message }), cause: thrown });
  if (storageFault(originOf(thrown)) !== null)
    return new PlutoError('serviceUnavailable', { retryAfterSeconds: 10, cause: thrown });
  if (originOf(thrown) instanceof SyntaxError && status === 400) {
    return new PlutoError('badRequest', { message: UNREADABLE_BODY, cause: thrown });
  }
  const key = statusErrors[status] ?? (status >= 400 && status < 500 ? 'badRequest' : 'serverError');
  return new PlutoError(key, { cause: thrown });
}

function describe(thrown: unknown): { code: string | undefined; status: number } {
  if (!isError(thrown)) return { code: undefined, status: 500 };
  const { code } = originOf(thrown) as { code?: unknown };
  const { statusCode } = thrown as { statusCode?: unknown };
  const status = thrown instanceof HttpException ? thrown.getStatus() : statusCode;
  return {
    code: typeof code === 'string' ? code : undefined,
    status: typeof status === 'number' ? status : 500,
  };
}

/** Nest wraps what Fastify throws. */
function originOf(thrown: unknown): unknown {
  return thrown instanceof HttpException && isError(thrown.cause) ? thrown.cause : thrown;
}

/**
 * Fastify's errors have no common constructor; Node's errors are of another context in jest, so instanceof
 * fails.
 */
function isError(thrown: unknown): thrown is Error {
  return thrown instanceof Error || types.isNativeError(thrown);
}
