const { TestEnvironment: NodeEnvironment } = require('jest-environment-node');

/** What jest-circus leaves in the global object for each spec file. */
const leftovers = ['EVENT_HANDLERS', 'TEST_TIMEOUT_SYMBOL', 'RETRY_TIMES'].map((name) => Symbol.for(name));

let shared;

/** One global object for all spec files of a worker, which is what lets them share loaded modules: see worker-runtime.cjs. */
class WorkerEnvironment extends NodeEnvironment {
  constructor(...parameters) {
    if (shared) return shared;
    super(...parameters);
    shared = this;
    this.env = { ...this.global.process.env };
  }

  /** Leaves it to the next spec file as the first one found it. */
  async teardown() {
    this.fakeTimersModern.useRealTimers();
    for (const symbol of leftovers) delete this.global[symbol];
    const { env } = this.global.process;
    for (const name of Object.keys(env)) if (!(name in this.env)) delete env[name];
    Object.assign(env, this.env);
  }
}

module.exports = WorkerEnvironment;
