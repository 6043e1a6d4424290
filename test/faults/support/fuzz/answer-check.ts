import { Ajv, type ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';
import type { Document, Response, Schema } from '../../../contract/document.js';
import { errorCatalogue } from '../../../../src/common/errors.js';
import type { FuzzRequest } from './fuzz-request.js';
import type { FuzzAnswer } from './http-caller.js';
import type { PublishedOperation } from './operations.js';

const JSON_TYPE = 'application/json';

/** What no response may reveal: stacks, statements, names of libraries' errors. */
const INNARDS =
  /\n\s+at |node_modules|\.[tj]s:\d+|SQLITE_|QueryFailed|TypeError|RangeError|FST_ERR|\bER_[A-Z]{3,}|ENOENT|insert into|\bFROM ["`]/i;
/** Parts of tokens, in which chance may write any of these. */
const TOKENS = /[\w-]{40,}/g;

/** Lists the differences between a response and the documented operation. */
export class AnswerCheck {
  private readonly ajv = new Ajv({ strict: false, allErrors: true });
  private readonly validators = new Map<Schema, { open: ValidateFunction; closed: ValidateFunction }>();

  constructor(
    { components }: Document,
    /** Texts that no response may contain, such as directories of this machine. */
    private readonly secrets: string[],
  ) {
    addFormats.default(this.ajv);
    this.ajv.addSchema({ components }, 'open');
    this.ajv.addSchema({ components: closedCopy(components) as object }, 'closed');
  }

  faultsOf(operation: PublishedOperation, request: FuzzRequest, answer: FuzzAnswer): string[] {
    const { status, headers, text } = answer;
    const [innards] = INNARDS.exec(text.replace(TOKENS, '')) ?? [];
    return [
      ...(status >= 500 ? [`status ${status}`] : []),
      ...(headers['x-request-id'] ? [] : ['no X-Request-Id']),
      ...(innards === undefined ? [] : [`tells of its innards: ${innards}`]),
      ...this.secrets.filter((secret) => text.includes(secret)).map((secret) => `tells ${secret}`),
      ...this.contractFaults(operation, request, answer),
    ];
  }

  private contractFaults(
    operation: PublishedOperation,
    { method }: FuzzRequest,
    answer: FuzzAnswer,
  ): string[] {
    const { status, headers, text } = answer;
    if (method === 'HEAD') return headFaults(operation, answer);
    if (method !== operation.method) return methodFaults(operation, answer);
    const response = operation.operation.responses[String(status)];
    if (!response) return [`status ${status} is not documented`];
    const content = response.content ?? {};
    if (Object.keys(content).length === 0) return redirectFaults(answer);
    const type = mediaTypeOf(headers['content-type']);
    const media = content[type];
    if (!media) return [`content type ${type || '(none)'} is not documented for ${status}`];
    if (!/; charset=utf-8$/.test(headers['content-type'] ?? '')) return ['no charset'];
    return type === JSON_TYPE ? this.jsonFaults(response, media.schema, text, status) : [];
  }

  private jsonFaults(response: Response, schema: Schema, text: string, status: number): string[] {
    const value = JSON.parse(text) as { error?: { code: number } };
    const { open, closed } = this.validatorsOf(schema);
    const faults = [open, closed].flatMap((validate) =>
      validate(value) ? [] : [`does not fit: ${this.ajv.errorsText(validate.errors)}`],
    );
    const codes = Object.values(response.content[JSON_TYPE]?.examples ?? {}).map(
      (example) => (example.value as { error?: { code: number } }).error?.code,
    );
    const code = value.error?.code;
    if (status >= 400 && !codes.includes(code)) faults.push(`code ${code} is not documented for ${status}`);
    if (status >= 400 && !response.description.includes(String(code)))
      faults.push(`the description leaves out ${code}`);
    return [...new Set(faults)];
  }

  private validatorsOf(schema: Schema): { open: ValidateFunction; closed: ValidateFunction } {
    const known = this.validators.get(schema);
    if (known) return known;
    const made = {
      open: this.ajv.compile(referringTo('open', schema) as object),
      closed: this.ajv.compile(referringTo('closed', closedCopy(schema)) as object),
    };
    this.validators.set(schema, made);
    return made;
  }
}

function headFaults({ operation }: PublishedOperation, { status, text }: FuzzAnswer): string[] {
  const isKnown = status === 405 || operation.responses[String(status)] !== undefined;
  return [
    ...(isKnown ? [] : [`status ${status} is not documented, and no answer to HEAD`]),
    ...(text === '' ? [] : ['a body to HEAD']),
  ];
}

/**
 * A method that the path does not have is no operation of the document; so it is refused for the one reason.
 */
function methodFaults({ methods }: PublishedOperation, { status, headers, text }: FuzzAnswer): string[] {
  if (status !== 405) return [`status ${status} for a method that the path does not have`];
  const allowed = (headers.allow ?? '').split(', ').filter((method) => method !== 'HEAD');
  if (allowed.toSorted().join() !== methods.toSorted().join()) return [`Allow: ${headers.allow}`];
  if (mediaTypeOf(headers['content-type']) !== JSON_TYPE) return [];
  const { error } = JSON.parse(text) as { error?: { code: number } };
  return error?.code === errorCatalogue.methodNotAllowed.code ? [] : [`code ${error?.code}`];
}

function redirectFaults({ headers, text }: FuzzAnswer): string[] {
  return [
    ...(headers.location ? [] : ['no Location']),
    ...(text === '' ? [] : ['a body in addition to Location']),
  ];
}

function mediaTypeOf(contentType = ''): string {
  return contentType.split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

/** The same schemas, in which an object has the documented properties and no others. */
function closedCopy(node: unknown): unknown {
  if (typeof node !== 'object' || node === null) return node;
  if (Array.isArray(node)) return node.map(closedCopy);
  const copy = Object.fromEntries(Object.entries(node).map(([key, part]) => [key, closedCopy(part)]));
  const isObject = copy.type === 'object' && !('allOf' in copy) && !('oneOf' in copy);
  return isObject && !('additionalProperties' in copy) ? { ...copy, additionalProperties: false } : copy;
}

function referringTo(base: string, schema: unknown): unknown {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/components', `"${base}#/components`));
}
