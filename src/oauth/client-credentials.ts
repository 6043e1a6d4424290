import { PlutoError } from '../common/errors.js';
import { badRequest } from '../common/validation.pipe.js';

export interface ClientCredentials {
  key: string;
  secret: string;
}

/**
 * Reads client credentials from HTTP Basic, with both parts form-encoded, or from `client_id` and
 * `client_secret` in the body; never from both.
 * @throws PlutoError clientNotFound when there are none | badRequest when they are sent in both ways
 * @see RFC 6749 section 2.3.1
 */
export function readClientCredentials(
  authorization: string | undefined,
  body: Record<string, unknown>,
): ClientCredentials {
  const basic = /^basic\b *(.*)$/i.exec(authorization ?? '')?.[1];
  const [key, secret] = [given(body.client_id), given(body.client_secret)];
  if (basic === undefined) {
    if (typeof key !== 'string' || typeof secret !== 'string') throw new PlutoError('clientNotFound');
    return { key, secret };
  }
  const credentials = decodeBasic(basic);
  if (secret !== undefined || (key !== undefined && key !== credentials.key))
    throw badRequest(['client credentials must be sent in one way only']);
  return credentials;
}

function decodeBasic(base64: string): ClientCredentials {
  const text = Buffer.from(base64, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon === -1 || !/^[A-Za-z0-9+/_-]+={0,2} *$/.test(base64)) throw new PlutoError('clientNotFound');
  return { key: formDecode(text.slice(0, colon)), secret: formDecode(text.slice(colon + 1)) };
}

function formDecode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch (cause) {
    throw new PlutoError('clientNotFound', { cause });
  }
}

/** A parameter without a value counts as omitted (RFC 6749 section 3.2). */
function given(value: unknown): unknown {
  return value === '' || value === null ? undefined : value;
}
