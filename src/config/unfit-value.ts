/** A variable's text is not taken, for a reason that its kind alone does not tell. The message follows the name. */
export class UnfitValue extends Error {
  override name = 'UnfitValue';
}
