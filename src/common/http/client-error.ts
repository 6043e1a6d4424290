import { randomUUID } from 'node:crypto';
import { STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { errorEnvelope, PlutoError } from '../errors.js';

const HEADERS = {
  'content-type': 'application/json; charset=utf-8',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
};

/** Lets the response arrive before the connection of a client that keeps sending is destroyed. */
const FAREWELL_MS = 1000;

/**
 * Responds to invalid HTTP, too large headers and requests that arrive too slowly, then closes the
 * connection.
 */
export function handleClientError(fault: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable || isAnswerBegun(socket)) return void socket.destroy();
  const isLate = fault.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const error = new PlutoError(isLate ? 'requestTimeout' : 'badRequest');
  const body = JSON.stringify(errorEnvelope(error));
  socket.end(
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}\r\nContent-Type: application/json; charset=utf-8\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nX-Request-Id: ${randomUUID()}\r\nCache-Control: no-store\r\n` +
      `X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n${body}`,
  );
  setTimeout(() => socket.destroy(), FAREWELL_MS).unref();
}

/** Answers expectations that nobody can meet, for which Node alone would send an empty 417. */
export function refuseExpectations(server: Server): void {
  server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) => {
    const error = new PlutoError('badRequest', { message: 'Bad Request: Expect must be 100-continue' });
    // RFC 9110 section 10.1.1
    response.writeHead(417, { ...HEADERS, 'x-request-id': randomUUID(), connection: 'close' });
    response.end(JSON.stringify(errorEnvelope(error)));
  });
}

/** Whether a part of a response has been sent already; Node's own handler checks the same. */
function isAnswerBegun(socket: Socket & { _httpMessage?: { headersSent?: boolean } | null }): boolean {
  return socket._httpMessage?.headersSent ?? false;
}
