import { applyDecorators } from '@nestjs/common';
import { ApiProperty, ApiPropertyOptional, type ApiPropertyOptions } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { isEmail, IsOptional, ValidateBy } from 'class-validator';
import { comparisonKey } from './text-keys.js';

/** What a request field takes: the check, the words for it, and its place in the OpenAPI document. */
interface FieldRule {
  takes: string;
  accepts: (value: unknown) => boolean;
  api: ApiPropertyOptions;
}

interface FieldOptions {
  description: string;
  optional?: boolean;
  example?: unknown;
}

const MAIL_MAX = 254;
const PASSWORD_MIN_CHARACTERS = 8;
const PASSWORD_MAX_BYTES = 1024;
// eslint-disable-next-line no-control-regex -- control characters are what it refuses
const CONTROL_CHARACTERS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;
const INT32_MAX = 2 ** 31 - 1;

export function isMail(value: unknown): value is string {
  return typeof value === 'string' && isEmail(value) && comparisonKey(value).length <= MAIL_MAX;
}

export function isHandle(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9_-]{1,100}$/.test(value);
}

/** The length is counted in characters (code points) below, in bytes above. */
export function passwordFault(value: string): 'tooShort' | 'tooLong' | null {
  if ([...value].length < PASSWORD_MIN_CHARACTERS) return 'tooShort';
  return Buffer.byteLength(value) > PASSWORD_MAX_BYTES ? 'tooLong' : null;
}

/** Text of 1 to `max` characters after trimming, on one line; also after folding to its comparison key. */
export function isLine(value: unknown, max: number): value is string {
  if (typeof value !== 'string' || CONTROL_CHARACTERS.test(value)) return false;
  const trimmed = value.trim();
  return trimmed.length > 0 && [...trimmed].length <= max && comparisonKey(trimmed).length <= 3 * max;
}

export function isId(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) > 0 && (value as number) <= INT32_MAX;
}

function isOpaque(value: unknown, max: number): boolean {
  return (
    typeof value === 'string' && value.length > 0 && value.length <= max && !CONTROL_CHARACTERS.test(value)
  );
}

const rules = {
  mail: {
    takes: `a mail address of at most ${MAIL_MAX} characters`,
    accepts: isMail,
    api: { type: String, format: 'email', maxLength: MAIL_MAX, example: 'ann@example.com' },
  },
  handle: {
    takes: '1 to 100 characters of A-Z a-z 0-9 _ -',
    accepts: isHandle,
    api: { type: String, pattern: '^[A-Za-z0-9_-]{1,100}$', maxLength: 100, example: 'ann' },
  },
  userName: {
    takes: '1 to 60 characters without control characters',
    accepts: (value) => isLine(value, 60),
    api: { type: String, minLength: 1, maxLength: 60, example: 'Ann' },
  },
  newPassword: {
    takes: 'at least 8 characters and at most 1024 bytes',
    accepts: (value) => typeof value === 'string' && passwordFault(value) === null,
    api: { type: String, format: 'password', minLength: PASSWORD_MIN_CHARACTERS, example: 'correct horse' },
  },
  password: {
    takes: 'a password of 1 to 1024 bytes',
    accepts: (value) =>
      typeof value === 'string' && value !== '' && Buffer.byteLength(value) <= PASSWORD_MAX_BYTES,
    api: { type: String, format: 'password', minLength: 1, example: 'correct horse' },
  },
  account: {
    takes: `a mail address or a user id of at most ${MAIL_MAX} characters`,
    accepts: (value) => isOpaque(value, MAIL_MAX),
    api: { type: String, minLength: 1, maxLength: MAIL_MAX, example: 'ann' },
  },
  appName: {
    takes: 'the name of an application (1 to 100 characters)',
    accepts: (value) => isLine(value, 100),
    api: { type: String, minLength: 1, maxLength: 100, example: 'pluto' },
  },
  deviceId: {
    takes: 'up to 255 characters',
    accepts: (value) => value === '' || isOpaque(value, 255),
    api: { type: String, maxLength: 255, example: 'phone-1' },
  },
  token: {
    takes: 'a token of 1 to 8192 characters',
    accepts: (value) => isOpaque(value, 8192),
    api: { type: String, minLength: 1, maxLength: 8192 },
  },
  scopes: {
    takes: 'scope names separated by commas or spaces, at most 4096 characters',
    accepts: (value) => value === '' || isOpaque(value, 4096),
    api: { type: String, maxLength: 4096, example: 'pluto.user' },
  },
  avatar: {
    takes: 'an http(s) URL of at most 2048 characters, or a JPEG or PNG as base64',
    accepts: (value) => typeof value === 'string',
    api: { type: String, example: 'https://example.com/ann.png' },
  },
} as const satisfies Record<string, FieldRule>;

export type FieldKind = keyof typeof rules;

/** Declares a field of a request: what it takes, the message when it does not, and its documentation. */
export function Field(
  kind: FieldKind,
  { description, optional = false, example }: FieldOptions,
): PropertyDecorator {
  const rule: FieldRule = rules[kind];
  const api = { ...rule.api, description, ...(example !== undefined && { example }) } as ApiPropertyOptions;
  return applyDecorators(
    optional ? ApiPropertyOptional(api) : ApiProperty(api),
    ...(optional ? [IsOptional(), nullAsAbsent] : []),
    mustBe(kind, rule),
  );
}

/** Typed clients send null for what their user left out. */
const nullAsAbsent = Transform(({ value }: { value: unknown }) => value ?? undefined);

function mustBe(kind: string, { takes, accepts }: Pick<FieldRule, 'takes' | 'accepts'>): PropertyDecorator {
  return ValidateBy({
    name: kind,
    validator: { validate: accepts, defaultMessage: () => `$property takes ${takes}` },
  });
}
