import { isBeingStopped } from './cleanup.js';
import { measureDatabase } from './databases.js';
import { checkGrowth } from './growth.js';
import type { Options } from './options.js';
import { tellFinally } from './progress.js';
import { tableOf, writeJson } from './report.js';
import { verdictOf, type Results } from './results.js';

/** Measures what the options ask for; the results so far are told in any case. */
export async function measure(options: Options): Promise<void> {
  const began = new Date();
  const results: Results = { scenarios: [], checks: [] };
  try {
    for (const kind of options.databases) {
      if (options.isGrowth) results.checks.push(...(await checkGrowth(kind, options)));
      else await measureDatabase(kind, options, results);
    }
  } finally {
    if (!isBeingStopped()) {
      tellFinally();
      console.log(tableOf(results));
      writeJson(options, began, results);
      console.log(`\nall figures: ${options.jsonFile}`);
    }
  }
  const isFaulty = [...results.scenarios, ...results.checks].some((one) => verdictOf(one) === 'FAILED');
  if (isFaulty) process.exitCode = 1;
}
