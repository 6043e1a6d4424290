// Loads the server, dist/server.cjs, with what V8 compiled of it at the build (cache-code.mjs): a good part of a start is
// compiling. Becomes part of dist/pluto.js.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { Script } from 'node:vm';

const DIGEST_BYTES = 32;

/** @returns the script, what it exports once it has run, and its source */
export function loadBundle(file) {
  const source = readFileSync(file);
  // It is ASCII (bundle.mjs), and read as such without a copy on V8's heap.
  const script = new Script(source.latin1Slice(), {
    filename: file,
    cachedData: readCode(`${file}.cache`, source),
  });
  const module = { exports: {} };
  script.runInThisContext()(module.exports, createRequire(file), module, file, dirname(file));
  return { script, source, exports: module.exports };
}

/** What the file of compiled code begins with: what it was made of and by, and that it is whole. */
export function digestOf(source, code) {
  return createHash('sha256')
    .update(`${process.version} ${process.arch}`)
    .update(source)
    .update(code)
    .digest();
}

/**
 * V8 itself looks at its version, its flags and the length of the source, and believes the rest: damaged code would end the
 * process, and code of another source would run. Where it is not wholly right, all is compiled anew.
 */
function readCode(file, source) {
  try {
    const content = readFileSync(file);
    const code = content.subarray(DIGEST_BYTES);
    return digestOf(source, code).equals(content.subarray(0, DIGEST_BYTES)) ? code : undefined;
  } catch {
    return undefined;
  }
}
