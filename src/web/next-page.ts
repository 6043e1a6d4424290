const ORIGIN = 'https://pluto.invalid';

/**
 * Where to go on after a sign-in, if that is one of Pluto's own pages.
 * @param text a path with its query, as a request gave it; judged as a browser would resolve it
 * @returns the path as the URL parser writes it; `''` for anything else
 * @see https://url.spec.whatwg.org
 */
export function ownPage(text: unknown): string {
  if (typeof text !== 'string' || !text.startsWith('/') || !URL.canParse(text, ORIGIN)) return '';
  const { origin, pathname, search } = new URL(text, ORIGIN);
  return origin === ORIGIN && /^\/web\/[a-z]/.test(pathname) ? pathname + search : '';
}

/** The address of one of Pluto's pages, with a query of what is not empty. */
export function pageAddress(path: string, query: Record<string, string>): string {
  const given = Object.entries(query).filter(([, value]) => value !== '');
  return given.length > 0 ? `${path}?${new URLSearchParams(given).toString()}` : path;
}
