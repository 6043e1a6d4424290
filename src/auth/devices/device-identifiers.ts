import type { Caller } from '../../common/caller.js';
import { networkOf } from '../../limits/network.js';

/** Shorter ids, such as model names, can be guessed. */
const DEVICE_ID_LEAST = 16;
const ADDRESS = 'address:';

/**
 * Identifiers that recognise a device: the id sent by an app, the cookie of a browser, and the network
 * address.
 * @param device.id as the client sent it
 * @param device.browser the secret in the browser's cookie
 */
export function deviceIdentifiers(
  { address }: Pick<Caller, 'address'>,
  { id = '', browser = '' }: { id?: string | undefined; browser?: string } = {},
): string[] {
  return [
    ...(id.length >= DEVICE_ID_LEAST ? [`id:${id}`] : []),
    ...(browser === '' ? [] : [`browser:${browser}`]),
    ...(address === '' ? [] : [ADDRESS + networkOf(address)]),
  ];
}

export function isAddressIdentifier(identifier: string): boolean {
  return identifier.startsWith(ADDRESS);
}
