export const REDIRECT_URL_MAX = 2048;
const LOOPBACK_HOSTS = ['localhost', '127.0.0.1', '[::1]'];

/** http(s), or a private-use scheme of a mobile app, which has a dot in it (RFC 8252 section 7.1). */
export function isRedirectUrl(value: unknown): value is string {
  if (typeof value !== 'string' || value.length > REDIRECT_URL_MAX || !/^[\x21-\x7e]+$/.test(value))
    return false;
  if (!URL.canParse(value) || /[#\\]/.test(value)) return false;
  const { protocol, hostname } = new URL(value);
  // URLs are compared exactly: a wildcard would only look as if it matched others.
  if (hostname.includes('*')) return false;
  // This parser finds a host in `https:example.com`; a browser that is redirected there reads it as a path.
  const isWeb = /^https?:\/\/[^/]/i.test(value);
  const hasUser = /^[^/]*:\/*[^/?]*@/.test(value);
  return (isWeb || protocol.includes('.')) && !hasUser;
}

/**
 * Whether a client's users may be redirected to that URL: https, http on the loopback interface, or a
 * private-use scheme with a dot in it; absolute, without fragment, user info or wildcard.
 * @see RFC 6749 section 3.1.2; RFC 8252 sections 7.1 and 7.3; RFC 9700 section 2.1
 */
export function isClientRedirectUri(value: unknown): value is string {
  if (!isRedirectUrl(value) || value.includes('*')) return false;
  const { protocol, hostname } = new URL(value);
  return protocol !== 'http:' || LOOPBACK_HOSTS.includes(hostname);
}
