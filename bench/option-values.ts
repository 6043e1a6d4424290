/** An option that cannot be used; the message is one line for whoever typed it. */
export class WrongOption extends Error {}

/** @throws WrongOption unless it is a whole number from 1 */
export function readCount(name: string, text: string): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || number < 1) throw new WrongOption(`--${name} takes a whole number from 1`);
  return number;
}
