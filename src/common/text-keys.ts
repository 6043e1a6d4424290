/**
 * The form in which mails, handles and names are compared: without regard to case, in one Unicode form.
 * Unique keys in the database hold this form, so that no database's collation has a say in it.
 */
export function comparisonKey(text: string): string {
  return text.normalize('NFKC').toLowerCase();
}
