/**
 * The form in which mails, handles and names are compared: without regard to case, in one Unicode form.
 * Unique keys in the database hold this form, so that no database's collation has a say in it.
 */
export function comparisonKey(text: string): string {
  // The one letter whose small form depends on its place: Σ ends a word as ς, also a word that is only a beginning.
  return text.normalize('NFKC').toLowerCase().replaceAll('ς', 'σ');
}
