/** Adds parameters to the query or the fragment, percent-encoded so that a `+` never means a space. */
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

/** The destination as shown to users: host and port, or the scheme of an app. */
export function destinationOf(uri: string): string {
  const { protocol, host } = new URL(uri);
  return protocol === 'https:' || protocol === 'http:' ? host : protocol.replace(/:$/, '');
}

/**
 * The `form-action` sources that a page needs so that its form may be answered with a redirect to the URI. By
 * scheme, since browsers also apply the policy to the client's own redirects, and CSP level 3 cannot name
 * IPv6 addresses.
 */
export function formTargetsOf(uri: string): string {
  const { protocol } = new URL(uri);
  return protocol === 'https:' ? protocol : `${protocol} https:`;
}
