/** Thrown at start with every fault at once; each starts with what is at fault and shows no value. */
export class InvalidSettings extends Error {
  constructor(readonly faults: string[]) {
    super(faults.join('\n'));
    this.name = 'InvalidSettings';
  }
}
