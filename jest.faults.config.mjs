import { project } from './jest.config.mjs';

/** What takes minutes, and servers to stop, freeze and kill: `npm run test:faults`. */
export default {
  ...project,
  globalSetup: './test/faults/support/global-setup.ts',
  testRegex: '/test/faults/.*\\.spec\\.ts$',
  testTimeout: 300_000,
};
