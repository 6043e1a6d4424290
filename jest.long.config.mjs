import faults from './jest.faults.config.mjs';

/** The same faults, in as many rounds as it takes to find what is rare: `npm run test:long`. */
process.env.LONG_ROUNDS = 'true';

export default faults;
