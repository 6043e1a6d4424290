// After the compiler: puts the server and the packages that it reads at start into a few files, dist/pluto.js first,
// since reading two thousand files takes longer than all else that a start does.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';

/** What is native, finds its own files by its place, is read only when it is needed, or is not there at all. */
const external = [
  ...['libsql', '@node-rs/argon2', 'sharp'],
  ...['pino', 'swagger-ui-dist'],
  ...['@zxcvbn-ts/language-common', 'ioredis', 'nodemailer', 'piscina', 'prom-client'],
  ...['@fastify/multipart', '@fastify/view'],
  ...['@nestjs/microservices', '@nestjs/platform-express', '@nestjs/websockets', 'class-transformer/storage'],
];

/** Nest's packages make a `require` of their own, which would read a second copy of what is in the bundle. */
const nestRequires = {
  name: 'nest-requires',
  setup: ({ onLoad }) =>
    onLoad({ filter: /node_modules\/@nestjs\/.*\.js$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replace('const require = createRequire(import.meta.url);', ''),
    })),
};

const { outputFiles, metafile } = await build({
  absWorkingDir: join(import.meta.dirname, '..'),
  entryPoints: { pluto: 'dist/src/main.js' },
  outdir: 'dist',
  chunkNames: 'chunks/[name]-[hash]',
  platform: 'node',
  target: 'node20',
  format: 'esm',
  // Where there is a choice, modules: Nest imports class-validator and class-transformer by `import()`.
  mainFields: ['module', 'main'],
  bundle: true,
  splitting: true,
  // Nest and TypeORM go by the names of classes: see `nameClassesOnly`.
  keepNames: true,
  external,
  plugins: [nestRequires],
  // For the packages that are CommonJS.
  banner: {
    js: "import { createRequire as requireFrom } from 'node:module';\nconst require = requireFrom(import.meta.url);",
  },
  logLevel: 'warning',
  write: false,
  metafile: true,
});

// Node finds the names of a CommonJS package that `import()` reads; a bundle has the default only.
for (const [file, { imports }] of Object.entries(metafile.inputs))
  for (const { kind, path } of imports)
    if (file.startsWith('dist/') && kind === 'dynamic-import' && metafile.inputs[path]?.format === 'cjs')
      throw new Error(`${file}: import() of ${path}, which is CommonJS`);

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

// One letter beyond ASCII makes a file take twice the memory; those that are left are in patterns and comments.
const escaped = (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
for (const { path, text } of outputFiles) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, nameClassesOnly(text).replace(/[\u0080-\uffff]/g, escaped));
}
