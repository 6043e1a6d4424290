import { PlutoError } from '../common/errors.js';
import { toPlutoError } from '../common/http/to-pluto-error.js';
import { isDatabaseUnavailable } from '../database/database-error.js';

const RETRY_AFTER_SECONDS = 5;

/** As `toPlutoError`; an unreachable database is a 503, since it is none of the client's doing and will come back. */
export function classifyError(thrown: unknown): PlutoError {
  if (isBrokenOff(thrown) || !isDatabaseUnavailable(thrown)) return toPlutoError(thrown);
  return new PlutoError('serviceUnavailable', { retryAfterSeconds: RETRY_AFTER_SECONDS, cause: thrown });
}

/** Has the client gone before its body was read? It is ECONNRESET as with the database's, but Fastify gives it a status. */
function isBrokenOff(thrown: unknown): boolean {
  return (thrown as { statusCode?: unknown } | undefined)?.statusCode === 400;
}
