import { isIP } from 'node:net';
import { applyDecorators } from '@nestjs/common';
import { ApiProperty, ApiPropertyOptional, type ApiPropertyOptions } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { IsOptional, ValidateBy } from 'class-validator';
import { isClientRedirectUri } from './redirect-urls.js';
import {
  INT32_MAX,
  isHandle,
  isId,
  isIdentifier,
  isIllFormed,
  isLine,
  isMail,
  isOpaque,
  isScopeName,
  MAIL_MAX,
  PASSWORD_MAX_BYTES,
  PASSWORD_MIN_CHARACTERS,
  passwordFault,
} from './text-checks.js';

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
    api: { type: String, minLength: PASSWORD_MIN_CHARACTERS, example: 'correct horse' },
  },
  password: {
    takes: 'a password of 1 to 1024 bytes',
    accepts: (value) =>
      typeof value === 'string' && value !== '' && Buffer.byteLength(value) <= PASSWORD_MAX_BYTES,
    api: { type: String, minLength: 1, example: 'correct horse' },
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
  code: {
    takes: 'an authorization code of 1 to 2048 characters',
    accepts: (value) => isOpaque(value, 2048),
    api: { type: String, minLength: 1, maxLength: 2048, example: 'c4f1e9.0.mrsx.kGnq3RzV' },
  },
  state: {
    takes: 'a state of at most 255 characters',
    accepts: (value) => isOpaque(value, 255),
    api: { type: String, maxLength: 255, example: '0123456789abcdef' },
  },
  redirectUrl: {
    takes: 'a URL of at most 2048 characters',
    accepts: (value) => value === '' || isOpaque(value, 2048),
    api: { type: String, format: 'uri', maxLength: 2048, example: 'https://example.com/signed-in' },
  },
  clientKey: {
    takes: '1 to 255 printable ASCII characters without blanks',
    accepts: (value) => isIdentifier(value, 1, 255),
    api: { type: String, minLength: 1, maxLength: 255, example: 'desk' },
  },
  clientSecret: {
    takes: '6 to 255 printable ASCII characters without blanks',
    accepts: (value) => isIdentifier(value, 6, 255),
    api: { type: String, minLength: 6, maxLength: 255, example: 'a-long-secret-of-the-client' },
  },
  redirectUri: {
    takes:
      'an https URL, http on localhost, or a scheme of an app with a dot in it; without fragment, user and wildcards',
    accepts: isClientRedirectUri,
    api: { type: String, format: 'uri', maxLength: 2048, example: 'https://client.example/back' },
  },
  loginType: {
    takes: 'one of mail, google, apple and wechat',
    accepts: (value) => ['mail', 'google', 'apple', 'wechat'].includes(value as string),
    api: { type: String, enum: ['mail', 'google', 'apple', 'wechat'], example: 'google' },
  },
  scopes: {
    takes: 'scope names separated by commas or spaces, at most 4096 characters',
    accepts: (value) => value === '' || isOpaque(value, 4096),
    api: { type: String, maxLength: 4096, example: 'pluto.user pluto.admin' },
  },
  id: {
    takes: 'a positive 32-bit integer',
    accepts: isId,
    api: { type: 'integer', minimum: 1, maximum: INT32_MAX, example: 1 },
  },
  newAppName: {
    takes: '1 to 100 characters without control characters',
    accepts: (value) => isLine(value, 100),
    api: { type: String, minLength: 1, maxLength: 100, example: 'org.example.app' },
  },
  roleName: {
    takes: '1 to 60 characters without control characters',
    accepts: (value) => isLine(value, 60),
    api: { type: String, minLength: 1, maxLength: 60, example: 'editor' },
  },
  scopeName: {
    takes: '1 to 60 characters without blanks, commas and control characters',
    accepts: isScopeName,
    api: { type: String, minLength: 1, maxLength: 60, example: 'articles.write' },
  },
  searchText: {
    takes: `1 to ${MAIL_MAX} characters without control characters`,
    accepts: (value) => isLine(value, MAIL_MAX),
    api: { type: String, minLength: 1, maxLength: MAIL_MAX, example: 'ann' },
  },
  address: {
    takes: 'an IP address',
    accepts: (value) => typeof value === 'string' && isIP(value) !== 0,
    api: { type: String, maxLength: 64, example: '192.0.2.7' },
  },
  requestId: {
    takes: '1 to 64 characters of A-Z a-z 0-9 _ . -',
    accepts: (value) => typeof value === 'string' && /^[\w.-]{1,64}$/.test(value),
    api: { type: String, maxLength: 64, example: '0b0f2c0e-6f6b-4d6e-9d58-0c5a6f1c3f11' },
  },
  cursor: {
    takes: 'the cursor of an answer',
    accepts: (value) => value === '' || isIdentifier(value, 1, 64),
    api: { type: String, maxLength: 64, example: 'MTc5NTY1MTIwMC40Mg' },
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
export const nullAsAbsent = Transform(({ value }: { value: unknown }) => value ?? undefined);

/** A field that takes one of a few words. */
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
    mustBe('choice', {
      takes: `one of ${values.join(', ')}`,
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
    mustBe('integer', {
      takes: `a whole number from ${minimum} to ${maximum}`,
      accepts: (value) =>
        Number.isInteger(value) && (value as number) >= minimum && (value as number) <= maximum,
    }),
  );
}

/** An id in a query string. */
export function QueryId({ description }: { description: string }): PropertyDecorator {
  return QueryInteger({ description, minimum: 1, maximum: INT32_MAX });
}

/** A list in a body, each item checked alone. */
export function ListField({
  description,
  max,
  takes,
  accepts,
  items,
  optional = false,
  example,
}: {
  description: string;
  max: number;
  takes: string;
  accepts: (item: unknown) => boolean;
  items: ApiPropertyOptions;
  optional?: boolean;
  example: unknown[];
}): PropertyDecorator {
  const api = { ...items, isArray: true, maxItems: max, description, example } as ApiPropertyOptions;
  return applyDecorators(
    optional ? ApiPropertyOptional(api) : ApiProperty(api),
    ...(optional ? [IsOptional(), nullAsAbsent] : []),
    mustBe('list', {
      takes: `a list of at most ${max} items, each ${takes}`,
      accepts: (value) => Array.isArray(value) && value.length <= max && value.every(accepts),
    }),
  );
}

type Rule = Pick<FieldRule, 'takes' | 'accepts'>;

function mustBe(kind: string, { takes, accepts }: Rule): PropertyDecorator {
  return ValidateBy({
    name: kind,
    validator: {
      validate: (value: unknown) => !isIllFormed(value) && accepts(value),
      defaultMessage: () => `$property takes ${takes}`,
    },
  });
}
