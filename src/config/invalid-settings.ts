/** Thrown at start with all faults; each begins with the name of the variable and shows no value. */
export class InvalidSettings extends Error {
  constructor(readonly faults: string[]) {
    super(faults.join('\n'));
    this.name = 'InvalidSettings';
  }
}
