import { createRequire } from 'node:module';

/** Reads a package at its first use rather than at start: for what only some installations use, in code that cannot wait. */
export const loadWhenNeeded = createRequire(import.meta.url) as <Package>(name: string) => Package;
