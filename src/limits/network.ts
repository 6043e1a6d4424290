import { isIPv4, isIPv6 } from 'node:net';

const GROUPS = 8;

/**
 * Whom an address stands for: itself, or with IPv6 its /56, the least that one customer is given.
 * @param address `''` for a caller whose address nobody told
 * @see RFC 6177 section 2
 */
export function networkOf(address: string): string {
  const mapped = /^::ffff:([\d.]+)$/i.exec(address)?.[1];
  if (mapped !== undefined && isIPv4(mapped)) return mapped;
  if (!isIPv6(address)) return address;
  const [head = '', tail] = (address.split('%')[0] ?? '').split('::');
  const first = groupsOf(head);
  const last = groupsOf(tail ?? '');
  const groups = [
    ...first,
    ...Array<number>(Math.max(0, GROUPS - first.length - last.length)).fill(0),
    ...last,
  ];
  const [a = 0, b = 0, c = 0, d = 0] = groups;
  return `${[a, b, c, d & 0xff00].map((group) => group.toString(16)).join(':')}::/56`;
}

function groupsOf(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => (group.includes('.') ? [0, 0] : [parseInt(group, 16)]));
}
