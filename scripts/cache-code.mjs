// Run by bundle.mjs with the flags of `npm start`, in a folder of no use to anyone: starts the server, and keeps what V8 has
// compiled for that beside its source.
import { Buffer } from 'node:buffer';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { keepSpaceForYoungObjects, makeObjectsYoung } from '../dist/src/young-objects.js';
import { digestOf, loadBundle } from './load-bundle.mjs';

const file = join(import.meta.dirname, '../dist/server.cjs');

// As in src/main.ts: V8 takes code only where its flags are those by which it was compiled.
const setFlags = () => {
  keepSpaceForYoungObjects();
  makeObjectsYoung();
};

setFlags();
const { script, exports, source } = loadBundle(file);
await exports.start();
setFlags();
const code = script.createCachedData();
writeFileSync(`${file}.cache`, Buffer.concat([digestOf(source, code), code]));
process.exit();
