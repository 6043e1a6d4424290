const { join, sep } = require('node:path');
const { default: Runtime } = require('jest-runtime');

/** Loads what is shared. It belongs to no spec file and ends with the worker. */
let shared;

/**
 * Loads the application and its packages once per worker instead of once per spec file: they are two thousand files. Specs
 * and their support have a registry per spec file, as always, and `jest.mock` reaches these alone.
 */
class WorkerRuntime extends Runtime {
  constructor(...parameters) {
    super(...parameters);
    shared ??= new Runtime(...parameters);
    const [{ rootDir }] = parameters;
    this.sharedFolders = ['src', 'migrations', 'node_modules'].map((folder) => join(rootDir, folder) + sep);
  }

  requireModule(from, moduleName, options, isRequireActual) {
    return !options?.isInternalModule && this.isShared(from, moduleName)
      ? shared.requireModule(from, moduleName, options, isRequireActual)
      : super.requireModule(from, moduleName, options, isRequireActual);
  }

  /** For stack traces. */
  getSourceMaps() {
    const own = super.getSourceMaps();
    const ofShared = shared.getSourceMaps();
    return {
      get: (path) => own.get(path) ?? ofShared.get(path),
      *[Symbol.iterator]() {
        yield* own;
        yield* ofShared;
      },
    };
  }

  isShared(from, moduleName) {
    if (moduleName && this._resolution.isCoreModule(moduleName)) return false;
    const path = this._resolution.resolveCjs(from, moduleName);
    return this.sharedFolders.some((folder) => path.startsWith(folder));
  }
}

module.exports = WorkerRuntime;
