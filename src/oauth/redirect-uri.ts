/** Adds parameters in the query, or in the fragment; in neither place is a `+` ever a blank. */
export function redirectWith(
  uri: string,
  place: 'query' | 'fragment',
  parameters: Record<string, string | undefined>,
): string {
  const pairs = Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined ? [] : `${name}=${encodeURIComponent(value)}`,
  );
  const separator = place === 'fragment' ? '#' : uri.includes('?') ? '&' : '?';
  return uri + separator + pairs.join('&');
}

/** Where a browser goes, in words that its user can judge: host and port, or the scheme of an app. */
export function destinationOf(uri: string): string {
  const { protocol, host } = new URL(uri);
  return protocol === 'https:' || protocol === 'http:' ? host : protocol.replace(/:$/, '');
}

/**
 * What a page's `form-action` has to allow for its form to be answered with a redirect there: by scheme, since browsers
 * judge by the same policy where the client sends them on to, and no policy can name an IPv6 address (CSP level 3).
 */
export function formTargetsOf(uri: string): string {
  const { protocol } = new URL(uri);
  return protocol === 'https:' ? protocol : `${protocol} https:`;
}
