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

/** Native apps listen on a port that the system chooses. */
const LOOPBACK_PORT = /^(http:\/\/(?:127\.0\.0\.1|\[::1\])):\d{1,5}(?=[/?]|$)/;

/**
 * Whether a redirect URI is the registered one; on the loopback interface its port may differ.
 * @see RFC 6749 section 3.1.2.3; RFC 8252 section 7.3
 */
export function isRegisteredRedirectUri(uri: string, registered: string): boolean {
  if (uri === registered) return true;
  const withoutPort = (one: string) => one.replace(LOOPBACK_PORT, '$1');
  const isOnLoopback = LOOPBACK_PORT.test(uri) || LOOPBACK_PORT.test(registered);
  return isOnLoopback && withoutPort(uri) === withoutPort(registered) && URL.canParse(uri);
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
