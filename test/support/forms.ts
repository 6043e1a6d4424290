import { cookiesOf, tickedBoxes, type Answer, type Client } from './client.js';

/** What a browser holds after it has opened a page with a form. */
export interface OpenForm {
  path: string;
  cookie: string;
  fields: Record<string, string>;
  /** Boxes that are ticked; none by default. */
  ticked?: [string, string][];
}

/** Opens a page; with the cookies of another one as the same browser. */
export async function openForm(client: Client, path: string, cookie = ''): Promise<OpenForm> {
  const page = await client.page(path, cookie === '' ? {} : { cookie });
  const hidden = [...page.text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)];
  return {
    path,
    cookie: cookiesOf(page) || cookie,
    fields: Object.fromEntries(hidden.map(([, name, value]) => [name, value])),
    ticked: tickedBoxes(page.text),
  };
}

/** Sends a form as it is, or with what is changed. */
export function sendForm(
  client: Client,
  { path, cookie, fields, ticked = [] }: OpenForm,
  change: Record<string, string> = {},
): Promise<Answer> {
  const boxes = ticked.filter(([name]) => !Object.hasOwn(change, name));
  return client.request('POST', path, {
    headers: {
      accept: 'text/html',
      'content-type': 'application/x-www-form-urlencoded',
      ...(cookie !== '' && { cookie }),
    },
    body: new URLSearchParams([...Object.entries({ ...fields, ...change }), ...boxes]).toString(),
  });
}
