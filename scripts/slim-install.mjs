// For the image, after `npm prune --omit=dev`: deletes source maps, TypeScript sources and readmes, which a
// server never reads, and the SQLite build for the other C library.
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const modules = join(import.meta.dirname, '..', 'node_modules');
const UNREAD = /\.(map|ts|mts|cts|md)$/;
const LICENSE = /^(licen[cs]e|copying|notice)/i;

for (const file of readdirSync(modules, { recursive: true, withFileTypes: true }))
  if (file.isFile() && UNREAD.test(file.name) && !LICENSE.test(file.name))
    rmSync(join(file.parentPath, file.name));

const isGlibc = process.report.getReport().header.glibcVersionRuntime !== undefined;
const foreign = isGlibc ? /-musl$/ : /-gnu$/;
const libsql = join(modules, '@libsql');
for (const name of existsSync(libsql) ? readdirSync(libsql) : [])
  if (foreign.test(name)) rmSync(join(libsql, name), { recursive: true });
