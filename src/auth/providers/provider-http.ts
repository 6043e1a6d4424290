import { PlutoError } from '../../common/errors.js';

export type ProviderName = 'Google' | 'Apple' | 'WeChat';

export interface JsonAnswer {
  status: number;
  body: Record<string, unknown>;
}

/** For a whole request, including the response body. */
const TIMEOUT_MS = 5000;
const MAX_BYTES = 256 * 1024;
const RETRY_AFTER_SECONDS = 5;

/**
 * The error for a provider that is down or sends unusable responses.
 * @param reason for the log, next to the provider's name; must not contain anything that was sent or received
 */
export function providerUnavailable(provider: ProviderName, reason: string, cause?: unknown): PlutoError {
  return new PlutoError('serviceUnavailable', {
    message: `Service unavailable: ${provider} is currently unreachable`,
    retryAfterSeconds: RETRY_AFTER_SECONDS,
    cause: new Error(`${provider}: ${reason}`, { cause }),
  });
}

/**
 * Sends a request to a provider: POST if `form` is given, else GET. Redirects are not followed.
 * @returns status and body of the response, which must arrive within 5 s and be at most 256 KiB
 * @throws PlutoError serviceUnavailable
 */
export async function request(
  provider: ProviderName,
  url: URL,
  form?: Record<string, string>,
): Promise<{ status: number; text: string }> {
  try {
    const response = await fetch(url, {
      ...(form && { method: 'POST', body: new URLSearchParams(form) }),
      headers: { accept: 'application/json' },
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    return { status: response.status, text: await readText(response) };
  } catch (cause) {
    throw providerUnavailable(
      provider,
      `no response from ${url.origin}${url.pathname}: ${reasonOf(cause)}`,
      cause,
    );
  }
}

/**
 * Like `request`, for a response that must be a JSON object.
 * @param accepted the statuses that the caller handles
 */
export async function requestJson(
  provider: ProviderName,
  url: URL,
  { form, accepted = [200] }: { form?: Record<string, string>; accepted?: number[] } = {},
): Promise<JsonAnswer> {
  const { status, text } = await request(provider, url, form);
  const body = accepted.includes(status) ? parseObject(text) : null;
  if (!body)
    throw providerUnavailable(provider, `unexpected response from ${url.pathname}, status ${status}`);
  return { status, body };
}

/** The cause of a `fetch` error has the details; neither quotes what was sent or received. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  return error.cause instanceof Error ? error.cause.message : error.message;
}

/** Leaving the loop cancels the rest of the response. */
async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  const body: AsyncIterable<Uint8Array> | null = response.body;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > MAX_BYTES) throw new Error(`the response exceeds ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/**
 * WeChat sends nicknames as they were typed, with raw control characters, and a byte order mark in front.
 * Outside of strings control characters are white space at most, so a blank in their place changes no value.
 */
function cleanJson(text: string): string {
  return text.replace(/^\uFEFF/, '').replace(/\p{Cc}/gu, ' ');
}

/** Parser errors must not leave this function: they quote the text. */
function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(cleanJson(text));
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
