// After the compiler: puts the server and the packages that it reads at start into dist/pluto.js and its chunks, since
// reading two thousand files takes longer than everything else that a start does.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';

/** What is native, finds its own files by its location, is read only when it is needed, or is optional and not installed. */
const external = [
  ...['libsql', '@node-rs/argon2', 'sharp'],
  ...['pino', 'swagger-ui-dist'],
  ...['ioredis', 'nodemailer', 'prom-client'],
  ...['@fastify/multipart', '@fastify/view'],
  ...['@nestjs/microservices', '@nestjs/platform-express', '@nestjs/websockets', 'class-transformer/storage'],
];

/**
 * Two things in Nest's sources. Its packages create a `require` of their own, by which they would load a second TypeORM,
 * class-validator and class-transformer from node_modules, whose registries of entities and decorators are empty; without
 * it they use the bundle's, which esbuild resolves. And its loggers, which Pluto replaces, create a format for dates when
 * they are imported, for which Node loads its locales: 8 MB that a server at rest would keep.
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
  // What src/main.ts and others import by `import()` is read then.
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  mainFields: ['module', 'main'],
  // TypeORM and Nest identify classes by their names.
  keepNames: true,
  external,
  plugins: [nestSources],
  // For CommonJS packages, which `require` Node's own modules.
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

// Of a CommonJS package that is imported by `import()` a bundle has the default export alone, unlike Node. Fastify's two
// plugins are used by it; others must be external, or imported by a module of ours (src/mail/mailer.ts).
const known = /\/(cors|static)-\w+\.js$/;
for (const { path, text } of outputFiles)
  if (/^export default require_\w+\(\);$/m.test(text) && !known.test(path))
    throw new Error(`${path} has no named exports: see scripts/bundle.mjs`);

// `keepNames` names each function whenever one is created, which makes a small request dearer by half. Only classes need
// their names: those that begin with a capital letter.
const nameAll = 'var __name = (target, value) => __defProp(target, "name", { value, configurable: true });';
const nameClasses =
  'var __name = (target, value) => value < "_" ? __defProp(target, "name", { value, configurable: true }) : target;';
if (!outputFiles.some(({ text }) => text.includes(nameAll)))
  throw new Error('esbuild names functions in another way');

// One character beyond Latin-1 doubles the memory that V8 keeps a source in. esbuild escapes those in strings; the others
// are in comments and regular expressions.
const escaped = (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

// The entry last: by its time the next start knows whether a source has changed since.
for (const { path, text } of outputFiles.reverse()) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text.replace(nameAll, nameClasses).replace(/[\u0080-\uffff]/g, escaped));
}
