/**
 * The form in which mails, handles and names are compared: case-folded and Unicode-normalised. Unique keys in
 * the database store this form, so that comparison does not depend on a collation.
 */
export function comparisonKey(text: string): string {
  // The lower case of Σ depends on its position (ς at the end of a word), which would break prefix searches.
  return text.normalize('NFKC').toLowerCase().replaceAll('ς', 'σ');
}
