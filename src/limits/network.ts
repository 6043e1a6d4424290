import ipaddr from 'ipaddr.js';

/**
 * Whom an address stands for: itself, or with IPv6 its /56, the least that one customer is given.
 * @param address `''` for a caller whose address nobody told
 * @see RFC 6177 section 2
 */
export function networkOf(address: string): string {
  if (address === '') return '';
  // IPv4 within IPv6 becomes IPv4.
  const parsed = ipaddr.process(address);
  if (parsed instanceof ipaddr.IPv4) return parsed.toString();
  const [a = 0, b = 0, c = 0, d = 0] = parsed.parts;
  return `${[a, b, c, d & 0xff00].map((group) => group.toString(16)).join(':')}::/56`;
}
