/** The password of every account that the benchmark makes. */
export const BENCH_PASSWORD = 'bench password';

export interface BenchAccount {
  handle: string;
  name: string;
  mail: string;
}

/** The account of a number: names, handles and mails begin in many different ways. */
export function accountOf(number: number): BenchAccount {
  const word = wordOf(number);
  return {
    handle: `${word}-${number}`,
    name: `member ${word}`,
    mail: `${word}.${number}@example.com`,
  };
}

/** 26 × 26 × 26 beginnings, spread evenly. */
function wordOf(number: number): string {
  const scattered = (number * 7919) % 17_576;
  return [676, 26, 1].map((place) => String.fromCharCode(97 + (Math.floor(scattered / place) % 26))).join('');
}
