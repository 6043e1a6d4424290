import { PlutoError } from '../common/errors.js';

/** The requested avatar: none, an external URL, or the bytes of a picture to store (not yet validated). */
export type AvatarInput = { kind: 'none' } | { kind: 'url'; url: string } | { kind: 'image'; bytes: Buffer };

const URL_MAX = 2048;
// Control and invisible characters, white space and characters that URLs must escape; only browsers treat a
// backslash as a slash.
const NOT_IN_URLS = /[\p{C}\p{Z}"<>\\`]/u;
/** `data:`, a media type with parameters, `;base64`, and the data, which may be percent-encoded. */
const DATA_URL = /^data:image\/(?:png|jpe?g)(?:;[\w-]+=[^;,]*)*;base64,/i;

/**
 * Parses the field `avatar`.
 * @param text `''`, an http(s) URL of at most 2048 characters, or a picture as base64, with or without a
 *   `data:image/…;base64,` before it and with line breaks inside, as Foundation's Data makes them
 * @throws PlutoError invalidAvatar
 * @see RFC 4648 section 4; RFC 2397
 */
export function parseAvatar(text: string): AvatarInput {
  if (text === '') return { kind: 'none' };
  if (/^https?:/i.test(text)) return { kind: 'url', url: checkedUrl(text) };
  return { kind: 'image', bytes: decodeBase64(DATA_URL.test(text) ? dataOf(text) : text) };
}

function checkedUrl(text: string): string {
  const authority = /^https?:\/\/([^/?#]+)/i.exec(text)?.[1];
  const isRefused =
    !authority ||
    authority.includes('@') ||
    text.length > URL_MAX ||
    NOT_IN_URLS.test(text) ||
    !URL.canParse(text);
  if (isRefused) throw new PlutoError('invalidAvatar');
  return text;
}

function dataOf(url: string): string {
  const data = url.replace(DATA_URL, '');
  try {
    return data.includes('%') ? decodeURIComponent(data) : data;
  } catch (cause) {
    throw new PlutoError('invalidAvatar', { cause });
  }
}

// Node's decoder skips unknown characters and accepts base64url and missing padding, so only text that it
// would encode the same way is accepted. A blank inside a line was a `+` that a form decoder has eaten.
function decodeBase64(text: string): Buffer {
  const base64 = text.trim().replace(/[ \t]*\r?\n[ \t]*/g, '');
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.length === 0 || bytes.toString('base64') !== base64) throw new PlutoError('invalidAvatar');
  return bytes;
}
