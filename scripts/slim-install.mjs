// After `npm ci --omit=dev`: deletes what a server never reads, source maps, TypeScript sources, readmes, and the
// SQLite of the C library that this system has not, which is a good third of it. Other installs are left as they are.
// To develop in such a folder afterwards, run `npm ci`: `npm install` takes what is there for whole.
//   node scripts/slim-install.mjs --now     whatever npm was told to omit
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const modules = join(import.meta.dirname, '..', 'node_modules');
const isForProduction = (process.env.npm_config_omit ?? '').split(/[\s,]+/).includes('dev');
const UNREAD = /\.(map|ts|mts|cts|md)$/;
const LICENSE = /^(licen[cs]e|copying|notice)/i;

if ((isForProduction || process.argv.includes('--now')) && existsSync(modules)) {
  for (const file of readdirSync(modules, { recursive: true, withFileTypes: true }))
    if (file.isFile() && UNREAD.test(file.name) && !LICENSE.test(file.name))
      rmSync(join(file.parentPath, file.name));
  const isGlibc = process.report.getReport().header.glibcVersionRuntime !== undefined;
  const foreign = isGlibc ? /-musl$/ : /-gnu$/;
  const libsql = join(modules, '@libsql');
  for (const name of existsSync(libsql) ? readdirSync(libsql) : [])
    if (foreign.test(name)) rmSync(join(libsql, name), { recursive: true });
}
