/** A field of a form as text; what is none is as good as empty. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
