import { PlutoError } from '../common/errors.js';
import { toPlutoError } from '../common/http/to-pluto-error.js';
import { isDatabaseUnavailable } from '../database/database-error.js';

const RETRY_AFTER_SECONDS = 5;

/** As `toPlutoError`; an unreachable database is a temporary 503, not an error of the client. */
export function classifyError(thrown: unknown): PlutoError {
  if (isBrokenOff(thrown) || !isDatabaseUnavailable(thrown)) return toPlutoError(thrown);
  return new PlutoError('serviceUnavailable', { retryAfterSeconds: RETRY_AFTER_SECONDS, cause: thrown });
}

/**
 * Whether the client disconnected before its body was read: also ECONNRESET, but with a status set by
 * Fastify.
 */
function isBrokenOff(thrown: unknown): boolean {
  return (thrown as { statusCode?: unknown } | undefined)?.statusCode === 400;
}
