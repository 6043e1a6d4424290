import type { Caller } from '../../common/caller.js';
import { networkOf } from '../../limits/network.js';

/** A shorter one may be guessed, such as the name of a model. */
const DEVICE_ID_LEAST = 16;
const ADDRESS = 'address:';

/**
 * By what a device can be known again: the id that an app gives it, the cookie that a browser keeps, and where it is.
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
