import { readFileSync } from 'node:fs';

/** Of Linux, in which /proc/PID/stat counts. */
const TICKS_PER_SECOND = 100;

/** The process and those that it has started. */
export function familyOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .trim()
    .split(/\s+/)
    .filter(Boolean);
  return [pid, ...children.map(Number)];
}

/** Processor time that they have used up to now, in user and kernel mode. */
export function cpuSecondsOf(pids: number[]): number {
  const ticks = pids.map((pid) => {
    // The name, in parentheses, may hold blanks; utime and stime are the 14th and 15th field.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
    return Number(fields[11]) + Number(fields[12]);
  });
  return ticks.reduce((sum, one) => sum + one, 0) / TICKS_PER_SECOND;
}

/** Memory that they hold (VmRSS), in MiB. */
export function memoryMbOf(pids: number[]): number {
  const kilobytes = pids.map((pid) =>
    Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0),
  );
  return kilobytes.reduce((sum, one) => sum + one, 0) / 1024;
}
