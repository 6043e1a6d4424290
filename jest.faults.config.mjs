import base from './jest.config.mjs';

/** What takes minutes, and servers to stop, freeze and kill: `npm run test:faults`. */
export default {
  ...base,
  globalSetup: './test/faults/support/global-setup.ts',
  testRegex: '/test/faults/.*\\.spec\\.ts$',
  testTimeout: 600_000,
};
