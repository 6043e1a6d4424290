/** Prints the medians of the rounds, and of the ratios within each round. */
export function printResults({ kind, sides, scenarios, searches = {} }) {
  console.log(`\n${kind}`);
  for (const { label, start } of sides)
    console.log(
      `  ${label}: ${start.cpuMs} ms of CPU time to the first response, ${start.restMb.toFixed(0)} MB at rest`,
    );
  const rows = [headings];
  for (const [name, { limit, rounds }] of Object.entries(scenarios))
    sides.forEach(({ label }, side) => rows.push(rowOf(name, label, limit, rounds, side)));
  for (const [name, found] of Object.entries(searches))
    sides.forEach(({ label }, side) => rows.push([name, label, ...figuresOf([found[side]]), '', '', '', '']));
  const widths = headings.map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  for (const row of rows)
    console.log(`  ${row.map((text, column) => pad(text, widths[column], column)).join('  ')}`);
}

const headings = [
  'scenario',
  'server',
  '/s',
  'p50 ms',
  'p99 ms',
  'CPU µs',
  'MB',
  'of limit',
  '× rate',
  '× CPU',
  'rates of the rounds',
];

function rowOf(name, label, limit, rounds, side) {
  const own = rounds.map((round) => round.sides[side]);
  const share = median(rounds.map((round) => round.sides[side].perSecond / round.limit));
  const row = [name, label, ...figuresOf(own), `${share.toFixed(2)} ${limit}`];
  if (side > 0 || rounds[0].sides.length === 1) return [...row, '', '', ''];
  // Ratio of the first server to the other, in the same round.
  const rates = rounds.map(({ sides: [one, other] }) => one.perSecond / other.perSecond);
  const cpus = rounds.map(({ sides: [one, other] }) => one.cpuMicros / other.cpuMicros);
  return [
    ...row,
    median(rates).toFixed(2),
    median(cpus).toFixed(2),
    rates.map((one) => one.toFixed(2)).join(' '),
  ];
}

function figuresOf(own) {
  const of = (key, digits) => median(own.map((one) => one[key])).toFixed(digits);
  return [of('perSecond', 0), of('p50Ms', 0), of('p99Ms', 0), of('cpuMicros', 0), of('memoryMb', 0)];
}

function pad(text, width, column) {
  return column < 2 ? text.padEnd(width) : text.padStart(width);
}

function median(values) {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
