const isTerminal = process.stderr.isTTY;
const WIDTH = 30;

/** Tells what is being done: in one line that changes on a terminal, in a line each elsewhere. */
export function tell(text: string): void {
  process.stderr.write(isTerminal ? `\r\x1b[K${text}` : `${text}\n`);
}

/** Ends the line that changes, for good or for a last text. */
export function tellFinally(text = ''): void {
  if (isTerminal) process.stderr.write('\r\x1b[K');
  if (text) process.stderr.write(`${text}\n`);
}

/** A bar on a terminal, a line every tenth elsewhere. */
export function progressBar(label: string, total: number): (done: number) => void {
  const began = performance.now();
  let tenths = 0;
  return (done) => {
    const share = total === 0 ? 1 : done / total;
    const perSecond = Math.round(done / ((performance.now() - began) / 1000));
    const figures = `${done} of ${total}, ${perSecond}/s`;
    if (isTerminal) {
      const bar = '█'.repeat(Math.round(share * WIDTH)).padEnd(WIDTH, '░');
      tell(`${label} ${bar} ${Math.floor(share * 100)} %  ${figures}`);
    } else if (Math.floor(share * 10) > tenths) {
      tenths = Math.floor(share * 10);
      tell(`${label} ${tenths * 10} %  ${figures}`);
    }
  };
}
