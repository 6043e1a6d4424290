import { readFileSync } from 'node:fs';

/** Preloaded by `--import`: the clock of the process is off by the seconds that the file CLOCK_FILE holds. */
const RealDate = Date;
let offsetMs = 0;

function read() {
  try {
    offsetMs = Number(readFileSync(process.env.CLOCK_FILE, 'utf8')) * 1000;
  } catch {
    // Not there: the clock is right.
  }
}

read();
setInterval(read, 20).unref();

globalThis.Date = class extends RealDate {
  constructor(...parameters) {
    if (parameters.length === 0) super(RealDate.now() + offsetMs);
    else super(...parameters);
  }

  static now() {
    return RealDate.now() + offsetMs;
  }
};
