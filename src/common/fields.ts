import { isIP } from 'node:net';
import { applyDecorators, type ArgumentMetadata, type PipeTransform } from '@nestjs/common';
import { ApiProperty, ApiPropertyOptional, ApiQuery, type ApiPropertyOptions } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { IsOptional, ValidateBy } from 'class-validator';
import { tidyMail } from './mail-addresses.js';
import { isClientRedirectUri } from './redirect-urls.js';
import { EXAMPLE_SECRET, isStrongSecret } from './secret-strength.js';
import {
  INT32_MAX,
  isHandle,
  isId,
  isIdentifier,
  isIllFormed,
  isLine,
  isMail,
  isMailbox,
  isName,
  isOpaque,
  isScopeName,
  withoutControls,
  MAIL_MAX,
  PASSWORD_MAX_BYTES,
  PASSWORD_MIN_CHARACTERS,
  passwordFault,
} from './text-checks.js';
import { badRequest } from './validation.pipe.js';

/** What a request field must be: the check, the words for it, and its schema in the OpenAPI document. */
interface FieldRule {
  mustBe: string;
  /** What is taken off before the check. */
  tidy?: (text: string) => string;
  accepts: (value: unknown) => boolean;
  api: ApiPropertyOptions;
}

interface FieldOptions {
  description: string;
  optional?: boolean;
  example?: unknown;
}

/** As `isOpaque` and `isLine` check; a line also has something other than blanks. */
const CONTROLS = '\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029';
const OPAQUE = `^[^${CONTROLS}]*$`;
export const LINE = `^[^${CONTROLS}]*[^${CONTROLS}\\s][^${CONTROLS}]*$`;
/** As `isIdentifier` checks. */
export const IDENTIFIER = '^[!-~]*$';

const trimmed = (text: string) => text.trim();

const rules = {
  mail: {
    tidy: tidyMail,
    mustBe: `an email address of at most ${MAIL_MAX} characters`,
    accepts: isMail,
    api: { type: String, format: 'email', maxLength: MAIL_MAX, example: 'ann@example.com' },
  },
  knownMail: {
    tidy: tidyMail,
    mustBe: `an email address of at most ${MAIL_MAX} characters`,
    accepts: isMailbox,
    api: { type: String, format: 'email', maxLength: MAIL_MAX, example: 'ann@example.com' },
  },
  handle: {
    tidy: trimmed,
    mustBe: '1 to 100 characters of A-Z a-z 0-9 _ -',
    accepts: isHandle,
    api: { type: String, pattern: '^[A-Za-z0-9_-]{1,100}$', maxLength: 100, example: 'ann' },
  },
  userName: {
    tidy: trimmed,
    mustBe: '1 to 60 characters without control characters, not all of them invisible',
    accepts: (value) => isName(value, 60),
    api: { type: String, minLength: 1, maxLength: 60, pattern: LINE, example: 'Ann' },
  },
  newPassword: {
    mustBe: 'at least 8 characters and at most 1024 bytes long',
    accepts: (value) => typeof value === 'string' && passwordFault(value) === null,
    api: {
      type: String,
      minLength: PASSWORD_MIN_CHARACTERS,
      maxLength: PASSWORD_MAX_BYTES,
      example: 'correct horse',
    },
  },
  password: {
    mustBe: '1 to 1024 bytes long',
    accepts: (value) =>
      typeof value === 'string' && value !== '' && Buffer.byteLength(value) <= PASSWORD_MAX_BYTES,
    api: { type: String, minLength: 1, maxLength: PASSWORD_MAX_BYTES, example: 'correct horse' },
  },
  account: {
    tidy: tidyMail,
    mustBe: `an email address or a user id of at most ${MAIL_MAX} characters`,
    accepts: (value) => isOpaque(value, MAIL_MAX),
    api: { type: String, minLength: 1, maxLength: MAIL_MAX, pattern: OPAQUE, example: 'ann' },
  },
  appName: {
    tidy: trimmed,
    mustBe: 'the name of an application (1 to 100 characters)',
    accepts: (value) => isLine(value, 100),
    api: { type: String, minLength: 1, maxLength: 100, pattern: LINE, example: 'pluto' },
  },
  deviceId: {
    mustBe: 'at most 255 characters',
    accepts: (value) => value === '' || isOpaque(value, 255),
    api: { type: String, maxLength: 255, pattern: OPAQUE, example: 'phone-1' },
  },
  token: {
    mustBe: 'a token of 1 to 8192 characters',
    accepts: (value) => isOpaque(value, 8192),
    api: { type: String, minLength: 1, maxLength: 8192, pattern: OPAQUE },
  },
  code: {
    mustBe: 'an authorization code of 1 to 2048 characters',
    accepts: (value) => isOpaque(value, 2048),
    api: { type: String, minLength: 1, maxLength: 2048, pattern: OPAQUE, example: 'c4f1e9.0.mrsx.kGnq3RzV' },
  },
  state: {
    mustBe: 'a state of at most 255 characters',
    accepts: (value) => isOpaque(value, 255),
    api: { type: String, maxLength: 255, pattern: OPAQUE, minLength: 1, example: '0123456789abcdef' },
  },
  redirectUrl: {
    mustBe: 'a URL of at most 2048 characters',
    accepts: (value) => value === '' || isOpaque(value, 2048),
    api: {
      type: String,
      format: 'uri',
      maxLength: 2048,
      pattern: OPAQUE,
      example: 'https://example.com/signed-in',
    },
  },
  clientKey: {
    mustBe: '1 to 255 printable ASCII characters without spaces',
    accepts: (value) => isIdentifier(value, 1, 255),
    api: { type: String, minLength: 1, maxLength: 255, pattern: IDENTIFIER, example: 'desk' },
  },
  clientSecret: {
    mustBe:
      'at least 128 bits strong, in at most 255 printable ASCII characters without spaces; without one it is generated',
    accepts: (value) => isIdentifier(value, 1, 255) && isStrongSecret(value as string),
    api: { type: String, minLength: 20, maxLength: 255, pattern: IDENTIFIER, example: EXAMPLE_SECRET },
  },
  redirectUri: {
    mustBe:
      'an https URL, an http URL on localhost, or a URL with an app scheme that contains a dot; no fragment, user or wildcard',
    accepts: isClientRedirectUri,
    api: { type: String, format: 'uri', maxLength: 2048, example: 'https://client.example/back' },
  },
  loginType: {
    mustBe: 'one of mail, google, apple, wechat',
    accepts: (value) => ['mail', 'google', 'apple', 'wechat'].includes(value as string),
    api: { type: String, enum: ['mail', 'google', 'apple', 'wechat'], example: 'google' },
  },
  sessionId: {
    mustBe: 'a session id of 1 to 64 printable ASCII characters without spaces',
    accepts: (value) => isIdentifier(value, 1, 64),
    api: { type: String, minLength: 1, maxLength: 64, pattern: IDENTIFIER, example: 'page-7' },
  },
  scopes: {
    mustBe: 'scope names separated by commas or spaces, at most 4096 characters',
    accepts: (value) => value === '' || isOpaque(value, 4096),
    api: { type: String, maxLength: 4096, pattern: OPAQUE, example: 'pluto.user pluto.admin' },
  },
  id: {
    mustBe: 'a positive 32-bit integer',
    accepts: isId,
    api: { type: 'integer', minimum: 1, maximum: INT32_MAX, example: 1 },
  },
  newAppName: {
    tidy: trimmed,
    mustBe: '1 to 100 characters without control characters, not all of them invisible',
    accepts: (value) => isName(value, 100),
    api: { type: String, minLength: 1, maxLength: 100, pattern: LINE, example: 'org.example.app' },
  },
  roleName: {
    tidy: trimmed,
    mustBe: '1 to 60 characters without control characters, not all of them invisible',
    accepts: (value) => isName(value, 60),
    api: { type: String, minLength: 1, maxLength: 60, pattern: LINE, example: 'editor' },
  },
  scopeName: {
    tidy: trimmed,
    mustBe: '1 to 60 characters without whitespace, commas or control characters, not all of them invisible',
    accepts: isScopeName,
    api: {
      type: String,
      minLength: 1,
      maxLength: 60,
      pattern: `^[^\\s,${CONTROLS}]+$`,
      example: 'articles.write',
    },
  },
  searchText: {
    tidy: trimmed,
    mustBe: `1 to ${MAIL_MAX} characters without control characters`,
    accepts: (value) => isLine(value, MAIL_MAX),
    api: { type: String, minLength: 1, maxLength: MAIL_MAX, pattern: LINE, example: 'ann' },
  },
  address: {
    mustBe: 'an IP address',
    accepts: (value) => typeof value === 'string' && isIP(value) !== 0,
    api: { type: String, maxLength: 64, example: '192.0.2.7' },
  },
  requestId: {
    mustBe: '1 to 64 characters of A-Z a-z 0-9 _ . -',
    accepts: (value) => typeof value === 'string' && /^[\w.-]{1,64}$/.test(value),
    api: {
      type: String,
      maxLength: 64,
      minLength: 1,
      pattern: '^[A-Za-z0-9_.-]+$',
      example: '0b0f2c0e-6f6b-4d6e-9d58-0c5a6f1c3f11',
    },
  },
  cursor: {
    mustBe: 'a cursor from an earlier response',
    accepts: (value) => value === '' || isIdentifier(value, 1, 64),
    api: { type: String, maxLength: 64, pattern: IDENTIFIER, example: 'MTc5NTY1MTIwMC40Mg' },
  },
  avatar: {
    mustBe: 'an http(s) URL of at most 2048 characters, or a JPEG or PNG as base64',
    accepts: (value) => typeof value === 'string',
    api: { type: String, example: 'https://example.com/ann.png' },
  },
} as const satisfies Record<string, FieldRule>;

export type FieldKind = keyof typeof rules;

/** Declares a request field: its check, the message of a refusal, and its documentation. */
export function Field(
  kind: FieldKind,
  { description, optional = false, example }: FieldOptions,
): PropertyDecorator {
  const rule: FieldRule = rules[kind];
  const api = { ...rule.api, description, ...(example !== undefined && { example }) } as ApiPropertyOptions;
  return applyDecorators(
    optional ? ApiPropertyOptional(api) : ApiProperty(api),
    ...(optional ? [IsOptional(), nullAsAbsent] : []),
    ...(rule.tidy ? [tidied(rule.tidy)] : []),
    checked(kind, rule),
  );
}

/**
 * Checks a parameter that is the only one of its route: `@Query('token', new FieldPipe('token'))`, by the
 * rule of `Field` without a DTO around it.
 */
export class FieldPipe implements PipeTransform<unknown, string> {
  constructor(private readonly kind: FieldKind) {}

  /** @throws PlutoError badRequest */
  transform(value: unknown, { data }: ArgumentMetadata): string {
    const rule: FieldRule = rules[this.kind];
    if (isAccepted(rule, value)) return value as string;
    throw badRequest([`${data} must be ${requirementOf(rule, value)}`]);
  }
}

/** Documents such a parameter of a query string. */
export function QueryField(
  kind: FieldKind,
  { name, description, example }: FieldOptions & { name: string },
): MethodDecorator {
  return ApiQuery({
    name,
    description,
    schema: { ...rules[kind].api, type: 'string', example },
  });
}

/** Typed clients send null for fields that their user left out. */
export const nullAsAbsent = Transform(({ value }: { value: unknown }) => value ?? undefined);

/** People paste blanks around addresses and names, and phone keyboards add one at the end. */
function tidied(tidy: (text: string) => string): PropertyDecorator {
  return Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? tidy(value) : value));
}

/** A field that must be one of a few words. */
export function ChoiceField({
  description,
  values,
  example,
  optional = false,
}: {
  description: string;
  values: readonly string[];
  example: string;
  optional?: boolean;
}): PropertyDecorator {
  const api = { type: String, enum: [...values], description, example } as ApiPropertyOptions;
  return applyDecorators(
    optional ? ApiPropertyOptional(api) : ApiProperty(api),
    ...(optional ? [IsOptional(), nullAsAbsent] : []),
    checked('choice', {
      mustBe: `one of ${values.join(', ')}`,
      accepts: (value) => values.includes(value as string),
    }),
  );
}

/** An integer field of a query string, where everything arrives as text; one with a fallback is optional. */
export function QueryInteger({
  description,
  minimum,
  maximum,
  fallback,
  optional = false,
}: {
  description: string;
  minimum: number;
  maximum: number;
  fallback?: number;
  optional?: boolean;
}): PropertyDecorator {
  const isOptional = fallback !== undefined || optional;
  const api = { type: 'integer', description, minimum, maximum } as const;
  const shown = fallback !== undefined ? { default: fallback } : { example: Math.max(minimum, 1) };
  return applyDecorators(
    (isOptional ? ApiPropertyOptional : ApiProperty)({ ...api, ...shown }),
    ...(optional ? [IsOptional()] : []),
    Transform(({ value }: { value: unknown }) =>
      typeof value === 'string' && /^\d{1,10}$/.test(value) ? Number(value) : value,
    ),
    checked('integer', {
      mustBe: `a whole number from ${minimum} to ${maximum}`,
      accepts: (value) =>
        Number.isInteger(value) && (value as number) >= minimum && (value as number) <= maximum,
    }),
  );
}

/** An id in a query string. */
export function QueryId({ description }: { description: string }): PropertyDecorator {
  return QueryInteger({ description, minimum: 1, maximum: INT32_MAX });
}

/** A list in a body; every item is checked. */
export function ListField({
  description,
  max,
  mustBe,
  accepts,
  items,
  optional = false,
  example,
}: {
  description: string;
  max: number;
  mustBe: string;
  accepts: (item: unknown) => boolean;
  items: { type: 'string' | 'integer' } & Record<string, string | number>;
  optional?: boolean;
  example: unknown[];
}): PropertyDecorator {
  const api = { type: 'array', items, maxItems: max, description, example } as ApiPropertyOptions;
  return applyDecorators(
    optional ? ApiPropertyOptional(api) : ApiProperty(api),
    ...(optional ? [IsOptional(), nullAsAbsent] : []),
    checked('list', {
      mustBe: `a list of at most ${max} items, each ${mustBe}`,
      accepts: (value) => Array.isArray(value) && value.length <= max && value.every(accepts),
    }),
  );
}

type Rule = Pick<FieldRule, 'mustBe' | 'accepts'>;

function checked(kind: string, rule: Rule): PropertyDecorator {
  return ValidateBy({
    name: kind,
    validator: {
      validate: (value: unknown) => isAccepted(rule, value),
      defaultMessage: (refused) => `$property must be ${requirementOf(rule, refused?.value)}`,
    },
  });
}

function isAccepted({ accepts }: Pick<Rule, 'accepts'>, value: unknown): boolean {
  return !isIllFormed(value) && accepts(value);
}

/** Names control characters, which nobody sees, if nothing else is wrong. */
function requirementOf({ mustBe, accepts }: Rule, value: unknown): string {
  const isFitOtherwise = typeof value === 'string' && !accepts(value) && accepts(withoutControls(value));
  return isFitOtherwise ? 'free of control characters' : mustBe;
}
