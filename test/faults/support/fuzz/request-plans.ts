import fc from 'fast-check';
import type { Document, Schema } from '../../../contract/document.js';
import {
  acceptHeaders,
  contentTypes,
  hostileBodies,
  hostileTexts,
  hostileValues,
  rawTexts,
  type RawText,
} from './hostile-values.js';
import type { PublishedOperation } from './operations.js';
import { valuesOf } from './schema-values.js';

/** Where the value of a field comes from; what the scene holds is known only when the request is sent. */
export type Choice =
  | { from: 'scene' }
  | { from: 'otherScene'; at: number }
  | { from: 'plan'; value: unknown }
  | { from: 'planRaw'; value: RawText }
  | { from: 'sceneTwice' };

export const authorizations = [
  'right',
  'none',
  'malformed',
  'junk',
  'expired',
  'tampered',
  'elsewhere',
  'user',
  'admin',
  'client',
] as const;
export type Authorization = (typeof authorizations)[number];

/** A request as far as it can be said before there is a server: all of it follows from the seed. */
export interface RequestPlan {
  operation: PublishedOperation;
  /** Which accounts, applications and clients it is about, from 0 to 1. */
  at: number;
  /** By place and name: `query app_id`. A field that is missing is not sent. */
  fields: Record<string, Choice>;
  body: 'fields' | 'none' | Buffer | { value: unknown };
  /** `right`: one that the operation takes. */
  contentType: string | null;
  authorization: Authorization;
  /** `right`: what the scene says. */
  accept: string | null;
  hasCookies: boolean;
  /** Instead of the operation's own. */
  method: string | null;
  /** Fields that the document does not know. */
  extra: Record<string, unknown>;
}

/** From 0 to 1, all alike: `fc.double` gives mostly numbers near to nothing. */
const shares = fc.noBias(fc.integer({ min: 0, max: 2 ** 30 - 1 })).map((number) => number / 2 ** 30);

interface PlannedField {
  key: string;
  schema: Schema;
  isRequired: boolean;
  isInPath: boolean;
}

/** Requests to one operation: half of them good, the others wrong in some places or as a whole. */
export function plansOf(document: Document, operation: PublishedOperation): fc.Arbitrary<RequestPlan> {
  const fields = fieldsOf(operation);
  const good = fc.record({
    ...fixed(operation),
    fields: fc.record(
      Object.fromEntries(fields.map(({ key }) => [key, fc.constant<Choice>({ from: 'scene' })])),
      { requiredKeys: fields.filter(({ isRequired }) => isRequired).map(({ key }) => key) },
    ),
    accept: fc.constantFrom('right', 'right', 'right', 'application/json', 'text/html'),
  });
  const mixed = fc.record({
    ...fixed(operation),
    fields: fc.record(
      Object.fromEntries(fields.map((field) => [field.key, mostly(choicesOf(document, field))])),
      {
        requiredKeys: fields.filter(({ isInPath }) => isInPath).map(({ key }) => key),
      },
    ),
    contentType: often<string | null>('right', [...contentTypes, null], 25),
    authorization: often<Authorization>('right', [...authorizations], 4),
    accept: fc.constantFrom('right', null, ...acceptHeaders),
    hasCookies: often(true, [false], 6),
    extra: fc.oneof(
      { weight: 5, arbitrary: fc.constant({}) },
      { weight: 1, arbitrary: fc.dictionary(hostileTexts, hostileValues, { maxKeys: 3 }) },
    ),
  });
  const wild = fc.record({
    ...fixed(operation),
    fields: fc.constant(scenesOnly(fields)),
    body: fc.oneof<fc.Arbitrary<RequestPlan['body']>[]>(
      hostileBodies,
      fc.constant('none' as const),
      hostileValues.map((value) => ({ value })),
    ),
    contentType: often<string | null>('right', [...contentTypes, null], 3),
    accept: fc.constantFrom('right', null, ...acceptHeaders),
  });
  const otherMethod = fc.record({
    ...fixed(operation),
    fields: fc.constant(scenesOnly(fields.filter(({ isInPath }) => isInPath))),
    body: fc.constant('none' as const),
    method: fc.constantFrom(...operation.otherMethods, ...(operation.method === 'GET' ? ['HEAD'] : [])),
    accept: fc.constantFrom('right', null, ...acceptHeaders),
  });
  return fc.oneof(
    { weight: 10, arbitrary: good },
    { weight: 8, arbitrary: mixed },
    { weight: operation.method === 'GET' ? 0 : 2, arbitrary: wild },
    { weight: 1, arbitrary: otherMethod },
  );
}

function fixed(operation: PublishedOperation) {
  return {
    operation: fc.constant(operation),
    at: shares,
    body: fc.constant<RequestPlan['body']>(operation.bodySchema ? 'fields' : 'none'),
    contentType: fc.constant<string | null>('right'),
    authorization: fc.constant<Authorization>('right'),
    hasCookies: fc.constant(true),
    method: fc.constant<string | null>(null),
    extra: fc.constant<Record<string, unknown>>({}),
  };
}

function fieldsOf({ operation, bodySchema }: PublishedOperation): PlannedField[] {
  const { properties = {}, required = [] } = bodySchema ?? {};
  return [
    ...operation.parameters.map(({ name, in: place, required: isRequired = false, schema }) => ({
      key: `${place} ${name}`,
      schema,
      isRequired,
      isInPath: place === 'path',
    })),
    ...Object.entries(properties).map(([name, schema]) => ({
      key: `body ${name}`,
      schema,
      isRequired: required.includes(name),
      isInPath: false,
    })),
  ];
}

function scenesOnly(fields: PlannedField[]): Record<string, Choice> {
  return Object.fromEntries(fields.map(({ key }) => [key, { from: 'scene' }]));
}

/** What a field is when it is not what the scene holds. */
function choicesOf(document: Document, { key, schema }: PlannedField): fc.Arbitrary<Choice> {
  const inBody = key.startsWith('body ');
  return fc.oneof(
    { weight: 2, arbitrary: shares.map((at) => ({ from: 'otherScene' as const, at })) },
    { weight: 4, arbitrary: valuesOf(document, schema).map((value) => ({ from: 'plan' as const, value })) },
    { weight: 4, arbitrary: hostileValues.map((value) => ({ from: 'plan' as const, value })) },
    { weight: inBody ? 0 : 1, arbitrary: rawTexts.map((value) => ({ from: 'planRaw' as const, value })) },
    { weight: inBody ? 0 : 1, arbitrary: fc.constant({ from: 'sceneTwice' as const }) },
  );
}

function mostly(choices: fc.Arbitrary<Choice>): fc.Arbitrary<Choice> {
  return fc.oneof(
    { weight: 7, arbitrary: fc.constant<Choice>({ from: 'scene' }) },
    { weight: 3, arbitrary: choices },
  );
}

function often<T>(usual: T, others: T[], weight: number): fc.Arbitrary<T> {
  return fc.oneof(
    { weight, arbitrary: fc.constant(usual) },
    { weight: 1, arbitrary: fc.constantFrom(...others) },
  );
}
