/* eslint-disable @typescript-eslint/no-explicit-any -- what came over the wire, to be asserted on */
export interface Answer {
  status: number;
  headers: Headers;
  /** The whole JSON document; null where the answer is none. */
  json: any;
  /** `body` of a success. */
  body: any;
  /** `error.code` of a failure; 0 for a success. */
  code: number;
  text: string;
}
/* eslint-enable @typescript-eslint/no-explicit-any */

export interface RequestOptions {
  token?: string;
  headers?: Record<string, string>;
  /** Sent as JSON, unless it is a string. */
  body?: unknown;
}

let counter = 0;

/** A number that no other test uses, to make names with. */
export function nextNumber(): number {
  return ++counter;
}

/** Calls Pluto as its client apps do. */
export class Client {
  constructor(readonly url: string) {}

  async request(
    method: string,
    path: string,
    { token, headers = {}, body }: RequestOptions = {},
  ): Promise<Answer> {
    const response = await fetch(this.url + path, {
      method,
      redirect: 'manual',
      headers: {
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...headers,
      },
      ...(body !== undefined && {
        body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
      }),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false;
    const json = isJson && text !== '' ? JSON.parse(text) : null;
    return {
      status: response.status,
      headers: response.headers,
      json,
      body: json?.body,
      code: json?.error?.code ?? 0,
      text,
    };
  }

  get(path: string, options: RequestOptions = {}): Promise<Answer> {
    return this.request('GET', path, options);
  }

  post(path: string, body?: unknown, options: RequestOptions = {}): Promise<Answer> {
    return this.request('POST', path, { body, ...options });
  }

  put(path: string, body?: unknown, options: RequestOptions = {}): Promise<Answer> {
    return this.request('PUT', path, { body, ...options });
  }

  /** Opens a page as a browser does, with the cookies it gave. */
  page(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.get(path, { headers: { accept: 'text/html', ...headers } });
  }

  /**
   * Fills in and sends the form of a page: GET, then POST with its hidden fields, its ticked boxes unless
   * `fields` has others, and its cookies.
   */
  async submit(
    path: string,
    fields: Record<string, string> = {},
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const form = await this.page(path, headers);
    const hidden = [...form.text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)];
    const boxes = tickedBoxes(form.text).filter(([name]) => !Object.hasOwn(fields, name));
    const body = new URLSearchParams([
      ...Object.entries({
        ...Object.fromEntries(hidden.map(([, name = '', value = '']) => [name, value])),
        ...fields,
      }),
      ...boxes,
    ]);
    return this.request('POST', path, {
      headers: {
        accept: 'text/html',
        'content-type': 'application/x-www-form-urlencoded',
        cookie: cookiesOf(form),
        ...headers,
      },
      body: body.toString(),
    });
  }
}

/** Names and values of the ticked boxes of a page. */
export function tickedBoxes(html: string): [string, string][] {
  const boxes = [...html.matchAll(/<input [^>]*type="checkbox"[^>]*>/g)].map(([tag]) => tag);
  return boxes
    .filter((tag) => / checked>$/.test(tag))
    .map((tag) => [/name="([^"]+)"/.exec(tag)?.[1] ?? '', /value="([^"]*)"/.exec(tag)?.[1] ?? '']);
}

export function cookiesOf(answer: Answer): string {
  return answer.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';', 1)[0])
    .join('; ');
}
