/** The current time in whole seconds since the epoch (UTC), the unit of every stored and published time. */
export function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
