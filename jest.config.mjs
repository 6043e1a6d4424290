import { useMemoryDisk } from './test/support/jest/temporary-folders.mjs';

useMemoryDisk();

const swc = (syntax) => [
  '@swc/jest',
  {
    swcrc: false,
    jsc: {
      target: 'es2022',
      parser: { syntax, decorators: true },
      transform: { legacyDecorator: true, decoratorMetadata: true },
    },
    module: { type: 'commonjs' },
  },
];

// Nest 12 and a few others ship ES modules only, which jest on Node 20 cannot load as such.
const esModules = [
  '@nestjs',
  '@fastify/(cookie|static|csrf)',
  'cookie',
  'content-disposition',
  'smtp-server',
  'nodemailer',
  'load-esm',
  'file-type',
  'es-toolkit',
  'jose',
  'p-queue',
  'p-timeout',
  'eventemitter3',
  'mailparser',
];

export const project = {
  globalSetup: '<rootDir>/test/support/global-setup.ts',
  setupFiles: ['<rootDir>/test/support/watch-transactions.ts'],
  testEnvironment: '<rootDir>/test/support/jest/worker-environment.cjs',
  runtime: '<rootDir>/test/support/jest/worker-runtime.cjs',
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: { '^.+\\.ts$': swc('typescript'), '^.+\\.m?js$': swc('ecmascript') },
  transformIgnorePatterns: [`/node_modules/(?!(${esModules.join('|')})/)`],
};

/** Which specs use SQL so little that one database proves them; all others run on both. */
const pure = [
  'browser/',
  'contract/(access|openapi|table-owners)',
  'e2e/(backup|bench|common-passwords|http|npm-start|pipelining|start)',
  'unit/(?!compound-statement|avatars|batched-read|database|hot-statements)',
];
const pureSpecs = `/test/(${pure.join('|')})`;

export default {
  testTimeout: 60_000,
  projects: [
    { ...project, displayName: 'pure', testRegex: `${pureSpecs}.*\\.spec\\.ts$` },
    {
      ...project,
      displayName: 'store',
      testRegex: '/test/(unit|contract|e2e|browser)/.*\\.spec\\.ts$',
      testPathIgnorePatterns: ['/node_modules/', pureSpecs],
    },
  ],
};
