/** What this needs of an OpenAPI 3.0 document. */
export interface Document {
  openapi: string;
  info: { title: string; version: string; description: string; license?: { name: string; url?: string } };
  servers: { url: string }[];
  tags: { name: string; description: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: {
    schemas: Record<string, Schema>;
    headers: Record<string, Header>;
    securitySchemes: Record<string, Record<string, string>>;
  };
}

export interface Operation {
  operationId: string;
  tags: string[];
  summary: string;
  description: string;
  security?: Record<string, string[]>[];
  parameters: Parameter[];
  requestBody?: { required?: boolean; content: Response['content'] };
  responses: Record<string, Response>;
}

export interface Parameter {
  name: string;
  in: string;
  required?: boolean;
  description?: string;
  schema: Schema;
}

export interface Header {
  description: string;
  schema: Schema;
}

export interface Response {
  description: string;
  headers: Record<string, { $ref: string }>;
  content: Record<string, { schema: Schema; examples?: Record<string, { value: unknown }> }>;
}

export interface Schema {
  $ref?: string;
  allOf?: Schema[];
  type?: string;
  format?: string;
  description?: string;
  example?: unknown;
  default?: unknown;
  enum?: unknown[];
  'x-enum-varnames'?: string[];
  nullable?: boolean;
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  maxItems?: number;
  items?: Schema;
  required?: string[];
  properties?: Record<string, Schema>;
  additionalProperties?: Schema | boolean;
}

const REF = '#/components/schemas/';

/** The schema itself, where another is referred to. */
export function resolve(document: Document, schema: Schema): Schema {
  if (schema.$ref !== undefined) {
    const target = document.components.schemas[schema.$ref.replace(REF, '')];
    if (!schema.$ref.startsWith(REF) || !target) throw new Error(`${schema.$ref} leads nowhere`);
    return resolve(document, target);
  }
  // So Nest writes a reference that has a description of its own.
  const { allOf, ...own } = schema;
  return allOf ? { ...Object.assign({}, ...allOf.map((part) => resolve(document, part))), ...own } : schema;
}

const HEADERS = '#/components/headers/';

/** The header that another refers to; all are components. */
export function headerOf({ components }: Document, { $ref }: { $ref: string }): Header {
  const header = components.headers[$ref.replace(HEADERS, '')];
  if (!$ref.startsWith(HEADERS) || !header) throw new Error(`${$ref} leads to no header`);
  return header;
}

/** `string <email>`, `Array of integers`: as the reference writes types. */
export function typeNotation(document: Document, schema: Schema): string {
  const { type, format, items = {} } = resolve(document, schema);
  if (type === 'array') return `Array of ${resolve(document, items).type}s`;
  return format === undefined ? `${type}` : `${type} <${format}>`;
}

/** The value that the document shows for a schema. */
export function exampleOf(document: Document, schema: Schema): unknown {
  const rule = resolve(document, schema);
  const { example = rule.default, enum: values, type, items, properties = {} } = rule;
  if (example !== undefined) return example;
  if (values !== undefined) return values[0];
  if (type === 'array' && items) return [exampleOf(document, items)];
  if (type !== 'object') throw new Error(`a ${type} without an example`);
  const entries = Object.entries(properties).map(([name, property]) => [name, exampleOf(document, property)]);
  return Object.fromEntries(entries) as unknown;
}

/** The body that the document shows first. */
export function bodyExampleOf(
  document: Document,
  { schema, examples = {} }: Response['content'][string],
): unknown {
  const [shown] = Object.values(examples);
  return shown ? shown.value : exampleOf(document, schema);
}

/** What is wrong with a value by its schema; properties that the schema does not name are. */
export function faultsOf(document: Document, schema: Schema, value: unknown, at = '$'): string[] {
  const rule = resolve(document, schema);
  if (value === null) return rule.nullable ? [] : [`${at} is null`];
  if (rule.enum && !rule.enum.includes(value)) return [`${at} is none of ${rule.enum.join(', ')}`];
  switch (rule.type) {
    case 'object':
      return objectFaults(document, rule, value, at);
    case 'array':
      return arrayFaults(document, rule, value, at);
    case 'string':
      return typeof value === 'string' ? textFaults(rule, value, at) : [`${at} is no string`];
    case 'integer':
      return Number.isInteger(value) ? numberFaults(rule, value as number, at) : [`${at} is no integer`];
    case 'boolean':
      return typeof value === 'boolean' ? [] : [`${at} is no boolean`];
    case undefined:
    default:
      return [`the schema of ${at} has the type ${rule.type}`];
  }
}

function objectFaults(document: Document, rule: Schema, value: unknown, at: string): string[] {
  if (typeof value !== 'object' || Array.isArray(value)) return [`${at} is no object`];
  const { required = [], properties = {}, additionalProperties } = rule;
  const missing = required.filter((name) => !(name in value!)).map((name) => `${at}.${name} is missing`);
  const faults = Object.entries(value!).flatMap(([name, part]) => {
    const place = `${at}.${name}`;
    const property = properties[name] ?? additionalProperties;
    return typeof property === 'object'
      ? faultsOf(document, property, part, place)
      : [`${place} is not documented`];
  });
  return [...missing, ...faults];
}

function arrayFaults(document: Document, rule: Schema, value: unknown, at: string): string[] {
  if (!Array.isArray(value)) return [`${at} is no array`];
  const tooMany = value.length > (rule.maxItems ?? Infinity) ? [`${at} has too many items`] : [];
  return [
    ...tooMany,
    ...value.flatMap((item, index) => faultsOf(document, rule.items ?? {}, item, `${at}[${index}]`)),
  ];
}

const formats: Record<string, RegExp> = { email: /^[^@\s]+@[^@\s]+$/, uri: /^[a-z][a-z\d+.-]*:\S+$/i };

function textFaults(
  { pattern, minLength = 0, maxLength = Infinity, format }: Schema,
  text: string,
  at: string,
) {
  return [
    ...(text.length < minLength ? [`${at} is too short`] : []),
    ...(text.length > maxLength ? [`${at} is too long`] : []),
    ...(pattern !== undefined && !new RegExp(pattern).test(text) ? [`${at} does not match ${pattern}`] : []),
    ...(format !== undefined && !(formats[format] ?? /(?:)/).test(text) ? [`${at} is no ${format}`] : []),
  ];
}

function numberFaults(
  { minimum = -Infinity, maximum = Infinity }: Schema,
  value: number,
  at: string,
): string[] {
  return value < minimum || value > maximum ? [`${at} is out of range`] : [];
}

/** Every object in the document with its place, those inside others as well. */
export function* partsOf(node: unknown, at = '#'): Generator<[string, Record<string, unknown>]> {
  if (typeof node !== 'object' || node === null) return;
  yield [at, node as Record<string, unknown>];
  for (const [key, part] of Object.entries(node)) yield* partsOf(part, `${at}/${key}`);
}
