import { createRequire } from 'node:module';

/** Loads a package at its first use, synchronously: for packages that only some installations use. */
export const loadWhenNeeded = createRequire(import.meta.url) as <Package>(name: string) => Package;
