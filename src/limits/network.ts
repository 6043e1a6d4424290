import { isIPv4 } from 'node:net';
import ipaddr from 'ipaddr.js';

/**
 * The network that one customer has: the address itself, or with IPv6 its /56.
 * @param address `''` for an unknown address
 * @see RFC 6177 section 2
 */
export function networkOf(address: string): string {
  if (address === '' || isIPv4(address)) return address;
  // Converts IPv4-mapped IPv6 to IPv4.
  const parsed = ipaddr.process(address);
  if (parsed instanceof ipaddr.IPv4) return parsed.toString();
  const [a = 0, b = 0, c = 0, d = 0] = parsed.parts;
  return `${[a, b, c, d & 0xff00].map((group) => group.toString(16)).join(':')}::/56`;
}
