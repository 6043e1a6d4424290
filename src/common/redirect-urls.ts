export const REDIRECT_URL_MAX = 2048;
const LOOPBACK_HOSTS = ['localhost', '127.0.0.1', '[::1]'];

/** http(s), or a private-use scheme of a mobile app, which has a dot in it (RFC 8252 section 7.1). */
export function isRedirectUrl(value: unknown): value is string {
  if (typeof value !== 'string' || value.length > REDIRECT_URL_MAX || !/^[\x21-\x7e]+$/.test(value))
    return false;
  if (!URL.canParse(value) || /[#\\]/.test(value)) return false;
  const { protocol, hostname } = new URL(value);
  // Addresses are compared whole: a wildcard would look as if it stood for others.
  if (hostname.includes('*')) return false;
  // `https:example.com` has a host for this parser; a browser that is sent to it reads it as a path.
  const isWeb = /^https?:\/\/[^/]/i.test(value);
  const hasUser = /^[^/]*:\/*[^/?]*@/.test(value);
  return (isWeb || protocol.includes('.')) && !hasUser;
}

/**
 * Whether a client may be sent its users back to that address: https, http on this very machine, or a private-use
 * scheme with a dot in it; absolute, without fragment, user info and wildcards.
 * @see RFC 6749 section 3.1.2; RFC 8252 sections 7.1 and 7.3; RFC 9700 section 2.1
 */
export function isClientRedirectUri(value: unknown): value is string {
  if (!isRedirectUrl(value) || value.includes('*')) return false;
  const { protocol, hostname } = new URL(value);
  return protocol !== 'http:' || LOOPBACK_HOSTS.includes(hostname);
}
