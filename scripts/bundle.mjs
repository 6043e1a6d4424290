// Runs after the compiler: bundles the server and its packages into dist/pluto.js and chunks, since loading
// two thousand files would be the slowest part of a start.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';

/**
 * Packages that are native, find their files by location, are loaded only if needed, or are optional and not
 * installed.
 */
const external = [
  ...['libsql', '@node-rs/argon2', 'sharp'],
  ...['pino', 'swagger-ui-dist'],
  ...['ioredis', 'nodemailer', 'prom-client'],
  ...['@fastify/multipart', '@fastify/view'],
  ...['@nestjs/microservices', '@nestjs/platform-express', '@nestjs/websockets', 'class-transformer/storage'],
];

/**
 * Two patches of Nest's sources. Its packages create their own `require`, which would load a second TypeORM,
 * class-validator and class-transformer from node_modules, with empty registries of entities and decorators;
 * without it they use the bundled ones. And its loggers, which Pluto replaces, create a date format when
 * imported, for which Node would load its locales into memory.
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

const { outputFiles } = await build({
  absWorkingDir: join(import.meta.dirname, '..'),
  entryPoints: { pluto: 'dist/src/main.js' },
  outdir: 'dist',
  platform: 'node',
  target: 'node20',
  format: 'esm',
  bundle: true,
  // Modules imported by `import()` are loaded only then.
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  mainFields: ['module', 'main'],
  // TypeORM and Nest identify classes by their names.
  keepNames: true,
  external,
  plugins: [nestSources],
  // For CommonJS packages, which `require` built-in modules.
  banner: {
    js: `import { createRequire as requireFrom } from 'node:module';
const require = requireFrom(import.meta.url);`,
  },
  sourcemap: true,
  sourcesContent: false,
  legalComments: 'none',
  logLevel: 'warning',
  write: false,
});

// Unlike Node, a bundle has only the default export of a CommonJS package imported by `import()`. That is
// enough for Fastify's two plugins; others must be external, or imported statically by our own module
// (src/mail/mailer.ts).
const known = /\/(cors|static)-\w+\.js$/;
for (const { path, text } of outputFiles)
  if (/^export default require_\w+\(\);$/m.test(text) && !known.test(path))
    throw new Error(`${path} has no named exports: see scripts/bundle.mjs`);

// `keepNames` would name every function each time it is created, which is slow. Only classes need their
// names; they begin with a capital letter.
const nameAll = 'var __name = (target, value) => __defProp(target, "name", { value, configurable: true });';
const nameClasses =
  'var __name = (target, value) => value < "_" ? __defProp(target, "name", { value, configurable: true }) : target;';
if (!outputFiles.some(({ text }) => text.includes(nameAll)))
  throw new Error('esbuild has changed the way it names functions');

// A single character beyond Latin-1 doubles the memory of a source in V8. esbuild escapes those in strings;
// this escapes those in comments and regular expressions.
const escaped = (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

// The entry last: build-if-stale.mjs compares its time with those of the sources.
for (const { path, text } of outputFiles.reverse()) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text.replace(nameAll, nameClasses).replace(/[\u0080-\uffff]/g, escaped));
}
