import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { PlutoError } from '../errors.js';

/**
 * Reads and drops the body of a request whose operation has none, whatever its type: HTTP libraries send a
 * content type, an empty body or `{}` of their own accord. Nothing is left to be parsed then.
 * @throws PlutoError bodyTooLarge | badRequest, if the body ends early
 */
export async function dropBody({ headers }: IncomingMessage, body: Readable, limit: number): Promise<void> {
  if (hasBody(headers)) await drain(body, Number(headers['content-length']), limit);
  delete headers['content-type'];
  delete headers['transfer-encoding'];
  headers['content-length'] = '0';
}

function hasBody(headers: IncomingMessage['headers']): boolean {
  const length = headers['content-length'];
  return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}

async function drain(body: Readable, announced: number, limit: number): Promise<void> {
  let received = 0;
  if (announced > limit) throw new PlutoError('bodyTooLarge');
  try {
    // Without destroying the connection, which still gets the answer.
    for await (const chunk of body.iterator({ destroyOnReturn: false })) {
      received += (chunk as Buffer).length;
      if (received > limit) break;
    }
  } catch (cause) {
    throw new PlutoError('badRequest', { message: 'Bad Request: the body ends early', cause });
  }
  if (received > limit) throw new PlutoError('bodyTooLarge');
}
