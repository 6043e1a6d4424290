import { createRequire } from 'node:module';

/** Reads a package at its first use rather than at start: for what only some installations use, in code that cannot wait. */
export const loadWhenNeeded = createRequire(import.meta.url) as <Package>(name: string) => Package;

/** Reads a package of which only a part is to be kept: Node forgets its modules, which would keep all of it. */
export function readAndForget<Package>(name: string): Package {
  const require = createRequire(import.meta.url);
  const known = new Set(Object.keys(require.cache));
  const loaded = require(name) as Package;
  for (const file of Object.keys(require.cache)) if (!known.has(file)) delete require.cache[file];
  return loaded;
}
