import type { Answer } from './client.js';

export interface Cookie {
  name: string;
  /** As it goes over the wire. */
  value: string;
  /** By name in lower case; `''` for one without a value. */
  attributes: Record<string, string>;
}

/** A form of a page, ready to be sent. */
export interface PageForm {
  action: string;
  /** Hidden fields and prefilled ones. */
  fields: Record<string, string>;
}

export interface PageAnswer extends Answer {
  /** Where the browser is sent; `''` for nowhere. */
  location: string;
  setCookies: Cookie[];
  forms: PageForm[];
  /** Targets of the links. */
  links: string[];
  /** What is read on the page: without tags, entities decoded. */
  words: string;
}

export type Fields = Record<string, string> | [string, string][];

// RFC 6265bis section 5.6: a browser ignores a cookie whose name and value are longer.
const COOKIE_MAX_BYTES = 4096;

/** One browser: keeps cookies, and shows redirects instead of following them. */
export class Browser {
  readonly cookies = new Map<string, Cookie>();

  constructor(
    private readonly url: string,
    private readonly language = 'en',
  ) {}

  /** Opens a page by its path, or by an address that the server named, whatever origin it calls its own. */
  get(path: string, headers: Record<string, string> = {}): Promise<PageAnswer> {
    return this.request('GET', path, { headers });
  }

  post(path: string, fields: Fields, headers: Record<string, string> = {}): Promise<PageAnswer> {
    return this.request('POST', path, {
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      body: new URLSearchParams(fields).toString(),
    });
  }

  /** Sends a form as it is, or with what was filled in. */
  submit(
    form: PageForm | undefined,
    filledIn: Record<string, string> = {},
    headers: Record<string, string> = {},
  ): Promise<PageAnswer> {
    if (!form) throw new Error('the page has no such form');
    return this.post(form.action, { ...form.fields, ...filledIn }, headers);
  }

  /** Puts a cookie into the jar that no server has set there. */
  plant(name: string, value: string, path = '/web'): void {
    this.cookies.set(name, { name, value, attributes: { path } });
  }

  async request(
    method: string,
    path: string,
    { headers = {}, body }: { headers?: Record<string, string>; body?: string } = {},
  ): Promise<PageAnswer> {
    const response = await fetch(this.url + path, {
      method,
      redirect: 'manual',
      headers: {
        accept: 'text/html,application/xhtml+xml,*/*;q=0.8',
        'accept-language': this.language,
        ...this.cookieHeader(path),
        ...headers,
      },
      ...(body !== undefined && { body }),
    });
    const setCookies = response.headers.getSetCookie().map(parseCookie);
    for (const cookie of setCookies) this.keep(cookie);
    return readAnswer(response, await response.text(), setCookies);
  }

  private keep(cookie: Cookie): void {
    if (Buffer.byteLength(cookie.name + cookie.value) > COOKIE_MAX_BYTES) return;
    if (cookie.attributes['max-age'] === '0' || cookie.value === '') this.cookies.delete(cookie.name);
    else this.cookies.set(cookie.name, cookie);
  }

  private cookieHeader(path: string): Record<string, string> {
    const pathname = path.split('?', 1)[0]!;
    const sent = [...this.cookies.values()].filter(({ attributes }) => {
      const scope = (attributes.path ?? '/').replace(/\/$/, '');
      return pathname === scope || pathname.startsWith(`${scope}/`);
    });
    return sent.length > 0 ? { cookie: sent.map(({ name, value }) => `${name}=${value}`).join('; ') } : {};
  }
}

function parseCookie(text: string): Cookie {
  const [[name = '', value = ''] = [], ...attributes] = text.split(';').map((part) => {
    const [left = '', ...right] = part.trim().split('=');
    return [left, right.join('=')];
  });
  return {
    name,
    value,
    attributes: Object.fromEntries(attributes.map(([key = '', given = '']) => [key.toLowerCase(), given])),
  };
}

function readAnswer(response: Response, text: string, setCookies: Cookie[]): PageAnswer {
  const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false;
  const json = isJson && text !== '' ? JSON.parse(text) : null;
  return {
    status: response.status,
    headers: response.headers,
    json,
    body: json?.body,
    code: json?.error?.code ?? 0,
    text,
    location: response.headers.get('location') ?? '',
    setCookies,
    forms: [...text.matchAll(/<form\b([^>]*)>(.*?)<\/form>/gs)].map(([, tag = '', inner = '']) => ({
      action: attributesOf(tag).action ?? '',
      fields: Object.fromEntries(
        [...inner.matchAll(/<input\b([^>]*)>/gs)]
          .filter(([, input = '']) => !input.includes('type="checkbox"') || input.endsWith(' checked'))
          .map(([, input = '']) => attributesOf(input))
          .map(({ name = '', value = '' }) => [name, value]),
      ),
    })),
    links: [...text.matchAll(/<a\b([^>]*)>/gs)].map(([, tag = '']) => attributesOf(tag).href ?? ''),
    words: decodeEntities(text.replace(/<[^>]*>/g, '')),
  };
}

/** A `>` inside of an attribute is escaped in our pages. */
function attributesOf(tag: string): Record<string, string> {
  return Object.fromEntries(
    [...tag.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, name = '', value = '']) => [
      name,
      decodeEntities(value),
    ]),
  );
}

const named: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

export function decodeEntities(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, name) => {
    if (hex) return String.fromCodePoint(parseInt(String(hex), 16));
    if (decimal) return String.fromCodePoint(Number(decimal));
    return named[String(name)] ?? whole;
  });
}
