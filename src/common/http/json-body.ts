import { isUtf8 } from 'node:buffer';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { badRequest } from '../validation.pipe.js';

/** Far more than any request has; validating a body with more parts would be slow. */
const MAX_PARTS = 5000;
const MAX_DEPTH = 20;

const FORBIDDEN_KEYS = 'the body must not have the key __proto__, nor prototype in constructor';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPENING = [0x7b, 0x5b];
const CLOSING = [0x7d, 0x5d];

type Done = (error: Error | null, body?: unknown) => void;

/**
 * Parses JSON bodies as Fastify does, refusing `__proto__`, and also bodies with too many or too deeply
 * nested parts.
 */
export function createJsonParser(fastify: FastifyInstance) {
  const parse = fastify.getDefaultJsonParser('error', 'error');
  return (request: FastifyRequest, body: Buffer, done: Done): void => {
    if (isIntricate(body)) return done(badRequest(['the body has too many parts']));
    if (!isUtf8(body)) return done(badRequest(['the body must be UTF-8']));
    const text = body.toString('utf8');
    void parse(request, text, (fault, value) => {
      done(fault && isJson(text) ? badRequest([FORBIDDEN_KEYS]) : fault, value);
    });
  };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function isIntricate(body: Buffer): boolean {
  let depth = 0;
  let parts = 0;
  for (let at = 0; at < body.length; at++) {
    const byte = body[at] as number;
    if (byte === QUOTE) at = endOfString(body, at);
    else if (byte === COMMA) parts++;
    else if (OPENING.includes(byte)) depth++;
    else if (CLOSING.includes(byte)) depth--;
    if (depth > MAX_DEPTH || parts > MAX_PARTS) return true;
  }
  return false;
}

/**
 * The index of the quote that ends the string starting there: one preceded by an even number of backslashes.
 */
function endOfString(body: Buffer, start: number): number {
  let end = body.indexOf(QUOTE, start + 1);
  while (end !== -1) {
    let backslashes = 0;
    while (body[end - 1 - backslashes] === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return end;
    end = body.indexOf(QUOTE, end + 1);
  }
  return body.length;
}
