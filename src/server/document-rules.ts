import type { OpenAPIObject } from '@nestjs/swagger';

type Json = Record<string, unknown>;

const INT32_MAX = 2 ** 31 - 1;
const SCHEMAS = '#/components/schemas/';

/**
 * Makes the document good to generate clients from, by rules that hold for every operation: models and
 * answers have names of their own, and integers that may exceed 32 bits say so.
 */
export function applyRules(document: OpenAPIObject): OpenAPIObject {
  return nameAnswers(nameModels(document, modelNames(document)));
}

/** The names of the classes, without their suffix; those of request bodies end in `Request`. */
function modelNames(document: OpenAPIObject): Map<string, string> {
  const bodies = new Set(
    JSON.stringify(operationsOf(document).map((one) => one.requestBody)).match(/\w+Dto\b/g),
  );
  const dtos = Object.keys(document.components?.schemas ?? {}).filter((name) => name.endsWith('Dto'));
  return new Map(
    dtos.map((name) => {
      const bare = name.replace(/Dto$/, '');
      return [name, bodies.has(name) ? `${bare}Request` : bare];
    }),
  );
}

function nameModels(document: OpenAPIObject, names: Map<string, string>): OpenAPIObject {
  const renamed = (name: string) => names.get(name) ?? name;
  return transform(document, (value, key) => {
    if (key === 'schemas')
      return Object.fromEntries(
        Object.entries(value).map(([name, one]) => [
          renamed(name),
          combined(one as Json, COMBINATIONS[name] ?? {}),
        ]),
      );
    const { $ref } = value;
    if (typeof $ref === 'string' && $ref.startsWith(SCHEMAS))
      return { ...value, $ref: SCHEMAS + renamed($ref.slice(SCHEMAS.length)) };
    const enumNames = value['x-enumNames'];
    // NSwag reads the one name, openapi-generator and oapi-codegen the other.
    if (enumNames !== undefined) return { ...value, 'x-enum-varnames': enumNames };
    return isWide(value) ? { ...value, format: 'int64' } : value;
  }) as OpenAPIObject;
}

/** Times, counts and ids: a client that keeps them in 32 bits fails one day. */
function isWide({ type, format, maximum }: Json): boolean {
  return type === 'integer' && format === undefined && !(typeof maximum === 'number' && maximum <= INT32_MAX);
}

/** Moves each inline envelope of a success to a component, named after its body. */
function nameAnswers(document: OpenAPIObject): OpenAPIObject {
  const schemas = document.components!.schemas as Record<string, Json>;
  for (const operation of operationsOf(document)) {
    const content = operation.responses['200']?.content?.['application/json'];
    if (!content?.schema?.properties) continue;
    const name = answerName(content.schema.properties.body, operation.operationId);
    schemas[name] = describeEnvelope(content.schema.properties, content.schema);
    content.schema = { $ref: SCHEMAS + name } as object;
  }
  return document;
}

function describeEnvelope({ status, body }: Envelope, schema: Json): Json {
  const described = (property: Json, description: string): Json => {
    if (property.description !== undefined) return property;
    // A reference may have no description of its own in OpenAPI 3.0.
    return property.$ref === undefined ? { ...property, description } : { allOf: [property], description };
  };
  return {
    ...schema,
    properties: {
      status: described(status, 'Distinguishes a success from a failure'),
      body: described(body, 'The result'),
    },
  };
}

function answerName(body: Body, operationId: string): string {
  const model = body.$ref ?? body.items?.$ref;
  if (model !== undefined) return `${model.slice(SCHEMAS.length)}${body.items ? 'List' : ''}Answer`;
  const isEmpty = JSON.stringify(body.example) === '{}' && Object.keys(body).length === 2;
  return isEmpty ? 'EmptyAnswer' : `${operationId[0]!.toUpperCase()}${operationId.slice(1)}Answer`;
}

interface Envelope {
  status: Json;
  body: Body;
}

interface Body extends Json {
  $ref?: string;
  items?: { $ref?: string };
  example?: unknown;
}

interface DescribedOperation {
  operationId: string;
  requestBody?: unknown;
  responses: Record<string, { content?: Record<string, { schema?: { properties?: Envelope } }> }>;
}

function operationsOf({ paths }: OpenAPIObject): DescribedOperation[] {
  return Object.values(paths).flatMap(({ get, post, put, delete: remove }) =>
    [get, post, put, remove].filter((one) => one !== undefined),
  ) as unknown as DescribedOperation[];
}

/** Rebuilds a value from the inside out; each object passes through `change` with the key that it has. */
function transform(value: unknown, change: (value: Json, key: string) => Json, key = ''): unknown {
  if (Array.isArray(value)) return value.map((one) => transform(one, change));
  if (typeof value !== 'object' || value === null) return value;
  const inner = Object.entries(value).map(([name, one]) => [name, transform(one, change, name)] as const);
  return change(Object.fromEntries(inner), key);
}

interface Combination {
  minProperties?: number;
  /** Of these fields, one is required. */
  oneRequired?: string[];
}

/** Which fields of a body depend on each other, by the class: decorators of fields cannot say it. */
const COMBINATIONS: Record<string, Combination> = {
  VerificationMailDto: { oneRequired: ['mail', 'user_id'] },
  ReauthenticateDto: { oneRequired: ['password', 'type'] },
  BindDto: { oneRequired: ['mail', 'id_token', 'code'] },
  UpdateUserInfoDto: { minProperties: 1 },
};

/** In two parts: of an `anyOf` next to the properties, Kotlin's generator makes a class without fields. */
function combined(schema: Json, { oneRequired, ...limits }: Combination): Json {
  if (!oneRequired) return { ...schema, ...limits };
  const { description, ...fields } = schema;
  const anyOf = oneRequired.map((name) => ({ required: [name] }));
  return { ...(description !== undefined && { description }), allOf: [fields, { anyOf }] };
}

/** Ids that a rule cannot make. */
const OPERATION_IDS: Record<string, string> = {
  Auth_register: 'register',
  Bindings_bind: 'bind',
  Bindings_unbind: 'unbind',
  UserAdministration_search: 'searchUsers',
  UserAdministration_summarize: 'summarizeUsers',
  ApplicationSettings_get: 'getApplicationSettings',
  ApplicationSettings_change: 'changeApplicationSettings',
  Authorize_show: 'showConsentPage',
  Authorize_decide: 'decideConsent',
  Login_show: 'showLoginPage',
  Login_login: 'submitLoginPage',
  MailVerification_show: 'showMailVerificationPage',
  MailVerification_confirm: 'submitMailVerificationPage',
  PasswordReset_show: 'showPasswordResetPage',
  PasswordReset_reset: 'submitPasswordResetPage',
  MailChange_change: 'changeMail',
  MailChangeConfirmation_show: 'showMailChangePage',
  MailChangeConfirmation_confirm: 'submitMailChangePage',
  MailChangeUndo_show: 'showMailChangeUndoPage',
  MailChangeUndo_undo: 'submitMailChangeUndoPage',
  Reauthentication_reauthenticate: 'reauthenticate',
  PasswordChange_change: 'changePassword',
  AccountSessions_logout: 'logout',
  AccountSessions_list: 'listSessions',
  AccountSessions_end: 'endSession',
  AccountSessions_endOthers: 'endOtherSessions',
  Audit_list: 'listAuditEvents',
};

/** What generated clients call an operation: `createRole`, `listRoles`, `loginWithAccount`. */
export function operationId(controller: string, method: string): string {
  const group = controller.replace(/Controller$/, '');
  const given = OPERATION_IDS[`${group}_${method}`];
  if (given !== undefined) return given;
  if (/[A-Z]/.test(method)) return method;
  return method + (method === 'list' ? group : group.replace(/s$/, ''));
}
