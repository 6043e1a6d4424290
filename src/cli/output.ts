/** Prints rows as a table with aligned columns. */
export function printTable(header: string[], rows: string[][], whenEmpty: string): void {
  if (rows.length === 0) return print(whenEmpty);
  const lines = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  for (const line of lines)
    print(
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

export function printJson(document: unknown): void {
  print(JSON.stringify(document));
}

/** Unix seconds as ISO 8601 in UTC, without the fraction. */
export function formatTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}
