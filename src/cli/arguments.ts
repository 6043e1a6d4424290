import { InvalidArgumentError } from 'commander';

/** Reads the number by which a list shows something. */
export function numberOf(what: string): (text: string) => number {
  return (text) => {
    if (!/^[1-9]\d{0,9}$/.test(text)) throw new InvalidArgumentError(`It must be the number of ${what}.`);
    return Number(text);
  };
}
