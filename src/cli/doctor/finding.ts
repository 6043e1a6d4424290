/** The result of one check. */
export interface Finding {
  name: string;
  status: 'ok' | 'warning' | 'failed';
  /** What was found, without secrets. */
  detail: string;
  /** What to do; `''` if all is well. */
  remedy: string;
}

export const ok = (name: string, detail: string): Finding => ({ name, status: 'ok', detail, remedy: '' });

export const warning = (name: string, detail: string, remedy: string): Finding => ({
  name,
  status: 'warning',
  detail,
  remedy,
});

export const failed = (name: string, detail: string, remedy: string): Finding => ({
  name,
  status: 'failed',
  detail,
  remedy,
});

/** From a line that ends in its remedy after a colon, as those of a refused start do. */
export function failedLine(name: string, line: string): Finding {
  const end = line.lastIndexOf(': ');
  return end < 0
    ? failed(name, line, 'correct it; .env.example explains every setting')
    : failed(name, line.slice(0, end), line.slice(end + 2));
}

/** One line for a terminal. */
export function describeFinding({ name, status, detail, remedy }: Finding): string {
  const line = `${status.padEnd(8)} ${name.padEnd(11)} ${detail}`;
  return (remedy === '' ? line : `${line}: ${remedy}`).replace(/\s*\n\s*/g, ' ');
}

/** The deepest message of an error and its code; fetch hides the reason in its causes. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  if (error.cause instanceof Error) return reasonOf(error.cause);
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && !error.message.includes(code)
    ? `${error.message}, ${code}`
    : error.message;
}
