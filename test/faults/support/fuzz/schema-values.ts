import fc from 'fast-check';
import { resolve, type Document, type Schema } from '../../../contract/document.js';

const TEXT_MAX = 300;
const LIST_MAX = 5;

/** Values that a schema takes. */
export function valuesOf(document: Document, schema: Schema): fc.Arbitrary<unknown> {
  const rule = resolve(document, schema);
  if (rule.enum) return fc.constantFrom(...rule.enum);
  switch (rule.type) {
    case 'integer':
      return fc.integer({ min: rule.minimum ?? -(2 ** 31), max: rule.maximum ?? 2 ** 31 - 1 });
    case 'boolean':
      return fc.boolean();
    case 'array':
      return fc.array(valuesOf(document, rule.items ?? {}), { maxLength: LIST_MAX });
    case 'object':
      return objectsOf(document, rule);
    case undefined:
    default:
      return textsOf(rule);
  }
}

function objectsOf(document: Document, { properties = {}, required = [] }: Schema): fc.Arbitrary<unknown> {
  const fields = Object.entries(properties).map(([name, property]) => [name, valuesOf(document, property)]);
  return fc.record(Object.fromEntries(fields) as Record<string, fc.Arbitrary<unknown>>, {
    requiredKeys: required,
  });
}

function textsOf({ pattern, format, minLength = 0, maxLength = TEXT_MAX }: Schema): fc.Arbitrary<string> {
  if (pattern !== undefined) return fc.stringMatching(new RegExp(pattern));
  if (format === 'email') return fc.emailAddress();
  if (format === 'uri') return fc.webUrl({ withQueryParameters: true });
  const length = { minLength, maxLength: Math.min(maxLength, Math.max(minLength, TEXT_MAX)) };
  return fc.oneof(
    { weight: 4, arbitrary: fc.string({ ...length, size: 'small' }) },
    { weight: 2, arbitrary: fc.string({ ...length, unit: 'grapheme', size: 'small' }) },
    // The longest that it says it takes, and one more.
    { weight: 1, arbitrary: fc.constantFrom('m'.repeat(maxLength), 'm'.repeat(maxLength + 1)) },
  );
}
