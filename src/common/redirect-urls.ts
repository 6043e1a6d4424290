export const REDIRECT_URL_MAX = 2048;

/** http(s), or a private-use scheme of a mobile app, which has a dot in it (RFC 8252 section 7.1). */
export function isRedirectUrl(value: unknown): value is string {
  if (typeof value !== 'string' || value.length > REDIRECT_URL_MAX || !/^[\x21-\x7e]+$/.test(value))
    return false;
  if (!URL.canParse(value) || /[#\\]/.test(value)) return false;
  const { protocol } = new URL(value);
  // `https:example.com` has a host for this parser; a browser that is sent to it reads it as a path.
  const isWeb = /^https?:\/\/[^/]/i.test(value);
  const hasUser = /^[^/]*:\/*[^/?]*@/.test(value);
  return (isWeb || protocol.includes('.')) && !hasUser;
}
