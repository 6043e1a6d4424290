import { isUtf8 } from 'node:buffer';
import { parse } from 'fast-querystring';
import { badRequest } from '../validation.pipe.js';

type Done = (error: Error | null, body?: unknown) => void;

/**
 * Parses forms as Fastify does, refusing bytes that are not UTF-8: decoded as replacement characters, two
 * different passwords would match.
 * @see https://url.spec.whatwg.org/#application/x-www-form-urlencoded
 */
export function parseForm(_request: unknown, body: Buffer, done: Done): void {
  const text = body.toString('latin1');
  if (!isUtf8(body) || !isDecodable(text)) done(badRequest(['the body must be UTF-8']));
  else done(null, parse(body.toString('utf8')));
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text.replace(/%(?![0-9a-f]{2})/gi, '%25'));
    return true;
  } catch {
    return false;
  }
}
