// After the compiler: puts the server and the packages that it reads at start into one file, dist/server.cjs, beside it what V8
// compiles of it, and dist/pluto.js, which loads both: reading two thousand files takes longer than all else that a start does.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';

/** What is native, finds its own files by its place, is read only when it is needed, or is not there at all. */
const external = [
  ...['libsql', '@node-rs/argon2', 'sharp'],
  ...['pino', 'swagger-ui-dist'],
  ...['@zxcvbn-ts/language-common', 'ioredis', 'nodemailer', 'prom-client'],
  ...['@fastify/multipart', '@fastify/view'],
  ...['@nestjs/microservices', '@nestjs/platform-express', '@nestjs/websockets', 'class-transformer/storage'],
];

/**
 * Nest's packages make a `require` of their own, which would read a second copy of what is in the bundle, and a format for the
 * dates of a logger that Pluto does not use: Node reads its locales for that, 28 ms and 8 MB.
 */
const nestSources = {
  name: 'nest-sources',
  setup: ({ onLoad }) =>
    onLoad({ filter: /node_modules\/@nestjs\/.*\.js$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8')
        .replace('const require = createRequire(import.meta.url);', '')
        .replace(
          /^const dateTimeFormatter = (new Intl\.DateTimeFormat\([^)]*\));$/m,
          'const dateTimeFormatter = { format: (date) => $1.format(date) };',
        ),
    })),
};

/** For one start of the server, on whatever machine. */
const START_MS = 120_000;

const common = {
  absWorkingDir: join(import.meta.dirname, '..'),
  outdir: 'dist',
  platform: 'node',
  target: 'node20',
  bundle: true,
  logLevel: 'warning',
};

// A script rather than a module, since V8's compiled code is to be had for scripts only; see load-bundle.mjs.
const { outputFiles } = await build({
  ...common,
  entryPoints: { server: 'dist/src/start.js' },
  outExtension: { '.js': '.cjs' },
  format: 'cjs',
  // Where there is a choice, modules: Nest imports class-validator and class-transformer by `import()`.
  mainFields: ['module', 'main'],
  // Nest and TypeORM go by the names of classes: see `nameClassesOnly`.
  keepNames: true,
  external,
  plugins: [nestSources],
  banner: {
    js:
      // Strict, as the modules are that it is made of.
      '(function (exports, require, module, __filename, __dirname) {"use strict";' +
      'const bundleUrl = require("node:url").pathToFileURL(__filename).href;',
  },
  footer: { js: '})' },
  define: { 'import.meta.url': 'bundleUrl', 'import.meta.dirname': '__dirname' },
  // A script cannot `import()`; what is external is CommonJS.
  supported: { 'dynamic-import': false },
  write: false,
});

// esbuild names every function as it was, each time that one is made: a fifth of the time of a simple request. Only
// classes are to be named.
const nameEach = 'var __name = (target, value) => __defProp(target, "name", { value, configurable: true });';
const nameNone = 'var __name = (target) => target;';
const nameClassesOnly = (text) =>
  text
    .replace(nameEach, nameNone)
    .replace(
      /__name\(this, ("[^"]*")\)/g,
      'Object.defineProperty(this, "name", { configurable: true, value: $1 })',
    );
if (!outputFiles.some(({ text }) => text.includes(nameEach)))
  throw new Error('esbuild names functions in another way');

// One letter beyond ASCII makes a file take twice the memory; those that are left are in patterns and comments. The loader
// counts on it.
const escaped = (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
const [{ path, text }] = outputFiles;
writeFileSync(path, nameClassesOnly(text).replace(/[\u0080-\uffff]/g, escaped));

// As long as it takes to start: a good part of that is compiling.
const folder = mkdtempSync(join(tmpdir(), 'pluto-build-'));
const { scripts } = JSON.parse(readFileSync(join(common.absWorkingDir, 'package.json'), 'utf8'));
const flags = scripts.start.split(' ').filter((word) => word.startsWith('-'));
try {
  execFileSync(process.execPath, [...flags, join(import.meta.dirname, 'cache-code.mjs')], {
    cwd: folder,
    env: { PORT: '0', HOST: '127.0.0.1', LOG_LEVEL: 'fatal' },
    // Of this server nobody is to read an address or a password; an error that keeps it from starting is on the other stream.
    stdio: ['ignore', 'ignore', 2],
    timeout: START_MS,
  });
} finally {
  rmSync(folder, { recursive: true });
}

/** What src/main.ts imports is to be the script. */
const fromScript = {
  name: 'from-script',
  setup: ({ onLoad }) =>
    onLoad({ filter: /dist\/src\/start\.js$/ }, () => ({
      resolveDir: import.meta.dirname,
      contents: `
        import { join } from 'node:path';
        import { loadBundle } from './load-bundle.mjs';
        export const { start } = loadBundle(join(import.meta.dirname, 'server.cjs')).exports;`,
    })),
};

await build({ ...common, entryPoints: { pluto: 'dist/src/main.js' }, format: 'esm', plugins: [fromScript] });
