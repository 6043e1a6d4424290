import { isBeingStopped, undoAll, undoOnSudden } from './cleanup.js';
import { WrongOption } from './option-values.js';
import { readOptions, type Options } from './options.js';

function optionsOrExit(): Options {
  try {
    return readOptions(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof WrongOption)) throw error;
    console.error(error.message);
    process.exit(2);
  }
}

process.umask(0o077);
const options = optionsOrExit();
undoOnSudden();
try {
  // Loaded only now: a wrong option need not wait for all of Pluto's modules.
  const { measure } = await import('./measure.js');
  await measure(options);
} catch (error) {
  if (!isBeingStopped()) console.error(error);
  process.exitCode = 1;
} finally {
  await undoAll();
}
