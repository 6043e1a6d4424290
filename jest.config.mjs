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

export default {
  globalSetup: './test/support/global-setup.ts',
  setupFiles: ['./test/support/watch-transactions.ts'],
  testEnvironment: 'node',
  testRegex: '/test/(unit|contract|e2e|browser)/.*\\.spec\\.ts$',
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: { '^.+\\.ts$': swc('typescript'), '^.+\\.m?js$': swc('ecmascript') },
  transformIgnorePatterns: [`/node_modules/(?!(${esModules.join('|')})/)`],
  testTimeout: 120_000,
};
