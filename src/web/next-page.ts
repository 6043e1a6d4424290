const ORIGIN = 'https://pluto.invalid';

/**
 * The page to continue with after a sign-in, if it is one of Pluto's own pages.
 * @param text a path with query from a request; resolved as a browser would
 * @returns the path as serialized by the URL parser; `''` for anything else
 * @see https://url.spec.whatwg.org
 */
export function ownPage(text: unknown): string {
  if (typeof text !== 'string' || !text.startsWith('/') || !URL.canParse(text, ORIGIN)) return '';
  const { origin, pathname, search } = new URL(text, ORIGIN);
  return origin === ORIGIN && /^\/web\/[a-z]/.test(pathname) ? pathname + search : '';
}

/** The address of one of Pluto's pages, with the non-empty parameters as query. */
export function pageAddress(path: string, query: Record<string, string>): string {
  const given = Object.entries(query).filter(([, value]) => value !== '');
  return given.length > 0 ? `${path}?${new URLSearchParams(given).toString()}` : path;
}
