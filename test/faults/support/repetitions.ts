/** How often something is tried: the whole number under `npm run test:long`, fewer on CI. */
export function repetitions({ long, short }: { long: number; short: number }): number {
  return process.env.LONG_ROUNDS === 'true' ? long : short;
}
