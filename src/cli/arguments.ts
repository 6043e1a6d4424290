import { InvalidArgumentError } from 'commander';

/** Parses an ID as shown by a list command. */
export function numberOf(what: string): (text: string) => number {
  return (text) => {
    if (!/^[1-9]\d{0,9}$/.test(text)) throw new InvalidArgumentError(`It must be the ID of ${what}.`);
    return Number(text);
  };
}
