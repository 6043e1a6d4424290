/**
 * A variable's text is refused for a reason that its kind does not describe. The message follows the
 * variable's name.
 */
export class UnfitValue extends Error {
  override name = 'UnfitValue';
}
