import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCatalogue } from '../../src/common/errors.js';
import { packageDirectory } from '../../src/common/package-directory.js';
import { login, addAccount, registration, signedIn, type Tokens } from '../support/accounts.js';
import { ADMIN, startTestApp, type TestApp } from '../support/app.js';
import type { Answer } from '../support/client.js';
import {
  bodyExampleOf,
  exampleOf,
  faultsOf,
  headerOf,
  partsOf,
  resolve,
  typeNotation,
  type Document,
  type Operation,
  type Response,
  type Schema,
} from './document.js';
import {
  fieldsBeyondReference,
  info,
  operations,
  operationsBeyondReference,
  routeOf,
  securityBeyondReference,
  statusOfCode,
  tags as referenceTags,
  tagsBeyondReference,
  unpublishedAliases,
  type Fields,
  type ReferenceField,
} from './reference.js';

const METHODS = ['get', 'post', 'put', 'delete', 'patch'];
const JSON_TYPE = 'application/json';

/** What a route answers to who may not call it. */
const ACCESS_CODES: Record<string, number[]> = {
  AccessToken: [1003, 3003, 3008, 3009, 4009],
  UserAuth: [1003, 3003, 3008, 3009, 4009, 4010],
  AdminAuth: [1003, 3003, 3008, 3009, 4008, 4009],
};

const tags: Record<string, string> = { ...referenceTags, ...tagsBeyondReference };
const documented = [...operations.map(routeOf), ...operationsBeyondReference];

let app: TestApp;
let document: Document;

beforeAll(async () => {
  app = await startTestApp();
  document = (await app.client.get('/openapi.json')).json as Document;
});
afterAll(() => app.close());

/** The operations of the document by `METHOD path`. */
function published(): Map<string, Operation> {
  const entries = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(
      ([method, operation]) => [`${method.toUpperCase()} ${path}`, operation] as const,
    ),
  );
  return new Map(entries);
}

function publishedAs(route: string): Operation {
  const operation = published().get(route);
  if (!operation) throw new Error(`${route} is not in the document`);
  return operation;
}

describe('GET /openapi.json', () => {
  it('has the title, version, licence and description of the reference', () => {
    const { license, ...rest } = document.info;
    expect({ ...rest, license: license?.name }).toEqual(info);
  });

  it('has the tags of the reference in its order, and its own after them', () => {
    expect(document.tags).toEqual(Object.entries(tags).map(([name, description]) => ({ name, description })));
  });

  it('lists the operations in the order of the tags', () => {
    const places = [...published().values()].map(({ tags: [tag = ''] }) => Object.keys(tags).indexOf(tag));
    expect(places).toEqual(places.toSorted((one, other) => one - other));
  });

  it('lists the operations of the reference in its order', () => {
    const pathsOf = (routes: string[]) => [...new Set(routes.map((route) => route.split(' ')[1]!))];
    const ofReference = pathsOf(operations.map(routeOf));
    const listed = pathsOf([...published().keys()]).filter((path) => ofReference.includes(path));
    expect(listed).toEqual(ofReference);
  });

  it('has the three security schemes of the reference, each a bearer token, and those of clients and pages', () => {
    const { Client, PageSession, ...ofReference } = document.components.securitySchemes;
    expect(Object.keys(ofReference)).toEqual(['AccessToken', 'UserAuth', 'AdminAuth']);
    for (const scheme of Object.values(ofReference)) {
      expect(scheme).toMatchObject({ type: 'http', scheme: 'bearer', bearerFormat: 'JWT' });
    }
    expect(Client).toMatchObject({ type: 'http', scheme: 'basic' });
    expect(PageSession).toMatchObject({ type: 'apiKey', in: 'cookie' });
  });

  it('has every operation of the reference that is operations, and no other', () => {
    expect([...published().keys()].sort()).toEqual(documented.toSorted());
  });

  it('omits the aliases of existing clients', () => {
    const routes = published();
    expect(unpublishedAliases.filter((route) => routes.has(route))).toEqual([]);
  });

  it('is what docs/openapi.json holds', async () => {
    const text = await readFile(join(packageDirectory, 'docs/openapi.json'), 'utf8').catch(() => '');
    if (text !== `${JSON.stringify(document, null, 2)}\n`) {
      throw new Error(
        'docs/openapi.json is not what the server says: run `npm run openapi` and commit the file',
      );
    }
  });
});

describe('the document as OpenAPI', () => {
  it('is of version 3.0 with paths, methods and a unique id for each operation', () => {
    expect(document.openapi).toMatch(/^3\.0\.\d$/);
    expect(document.servers).toEqual([{ url: '/' }]);
    expect(Object.keys(document.paths).filter((path) => !path.startsWith('/'))).toEqual([]);
    expect(
      Object.values(document.paths)
        .flatMap(Object.keys)
        .filter((key) => !METHODS.includes(key)),
    ).toEqual([]);
    const ids = [...published().values()].map(({ operationId }) => operationId);
    expect(ids.filter((id, index) => !id || ids.indexOf(id) !== index)).toEqual([]);
  });

  it('names operations, models and answers for generated clients', () => {
    for (const { operationId, responses } of published().values()) {
      expect(operationId).toMatch(/^[a-z]+([A-Z][a-z]+)*$/);
      const words = operationId.match(/[A-Za-z][a-z]+/g)!.map((word) => word.toLowerCase().replace(/s$/, ''));
      expect([operationId, new Set(words).size]).toEqual([operationId, words.length]);
      for (const { content = {} } of Object.values(responses))
        if (content[JSON_TYPE]) expect(Object.keys(content[JSON_TYPE].schema)).toEqual(['$ref']);
    }
    const names = Object.keys(document.components.schemas);
    expect(names.filter((name) => !/^[A-Z][A-Za-z]+$/.test(name) || name.endsWith('Dto'))).toEqual([]);
    expect(names).toEqual(expect.arrayContaining(['EmptyAnswer', 'TokenPairAnswer', 'RegisterRequest']));
  });

  it('leaves the name Client to the clients that Go generators make', () => {
    expect(Object.keys(document.components.schemas)).not.toContain('Client');
    const { kind } = document.components.schemas.AuditActor!.properties!;
    const constants = kind!['x-enum-varnames']!;
    expect(constants).toHaveLength(kind!.enum!.length);
    expect(constants).toContain('ActorClient');
    expect(constants.filter((name) => name in document.components.schemas)).toEqual([]);
  });

  it('gives 64 bits to every integer that may exceed 32', () => {
    const integers = [...partsOf(document)].filter(([, { type }]) => type === 'integer');
    expect(integers.length).toBeGreaterThan(30);
    const narrow = integers.filter(
      ([, { maximum, format }]) => format !== 'int64' && !(Number(maximum) < 2 ** 31),
    );
    expect(narrow.map(([at]) => at)).toEqual([]);
    const times = [...partsOf(document)].filter(([at]) => /(_at|\/exp|\/iat)$/.test(at));
    expect(times.length).toBeGreaterThan(5);
    expect(times.filter(([, { format }]) => format !== 'int64').map(([at]) => at)).toEqual([]);
  });

  it('says of each operation who may call it', () => {
    for (const [route, { security }] of published())
      expect([route, Array.isArray(security)]).toEqual([route, true]);
  });

  it('declares what its operations name: tags, security schemes, path parameters', () => {
    for (const [route, { tags: used, security = [], parameters }] of published()) {
      expect([route, used.length, used.every((tag) => tag in tags)]).toEqual([route, 1, true]);
      const schemes = security.flatMap((one) => Object.keys(one));
      expect(Object.keys(document.components.securitySchemes)).toEqual(expect.arrayContaining(schemes));
      const inPath = parameters.filter((parameter) => parameter.in === 'path');
      const named = [...route.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      expect([route, inPath.map(({ name }) => name)]).toEqual([route, named]);
      expect(inPath.every(({ required }) => required)).toBe(true);
      const keys = parameters.map((parameter) => `${parameter.in} ${parameter.name}`);
      expect([route, new Set(keys).size]).toEqual([route, keys.length]);
    }
  });

  it('describes every response and gives no body to GET', () => {
    for (const [route, { responses, requestBody }] of published()) {
      const described = Object.entries(responses).filter(([, { description }]) => description !== '');
      expect([route, described.map(([status]) => status)]).toEqual([route, Object.keys(responses)]);
      if (route.startsWith('GET ')) expect([route, requestBody]).toEqual([route, undefined]);
    }
  });

  it('has only references that lead somewhere, and no schema or header that nothing refers to', () => {
    const references = new Set(
      [...partsOf(document)].flatMap(([, { $ref }]) => (typeof $ref === 'string' ? [$ref] : [])),
    );
    const { schemas, headers } = document.components;
    const names = Object.entries({ schemas, headers }).flatMap(([kind, parts]) =>
      Object.keys(parts).map((name) => `#/components/${kind}/${name}`),
    );
    expect([...references].sort()).toEqual(names.sort());
  });

  it('describes every field of every schema, and shows a value for it that fits', () => {
    const faults = Object.entries(document.components.schemas).flatMap(([schemaName, { properties = {} }]) =>
      Object.entries(properties).flatMap(([name, property]) =>
        fieldFaults(`${schemaName}.${name}`, property),
      ),
    );
    expect(faults).toEqual([]);
  });

  it('describes every header, and shows a value for it that fits', () => {
    const faults = Object.entries(document.components.headers).flatMap(([name, { description, schema }]) =>
      fieldFaults(name, { description, ...schema }),
    );
    expect(faults).toEqual([]);
  });

  it('names the headers of every response', () => {
    const ofStatus: Record<string, string> = {
      302: 'Location',
      401: 'WWW-Authenticate',
      429: 'Retry-After',
      503: 'Retry-After',
    };
    for (const [route, { responses }] of published()) {
      for (const [status, { headers }] of Object.entries(responses)) {
        const expected = ['X-Request-Id', ...(ofStatus[status] ? [ofStatus[status]] : [])];
        expect([route, status, Object.keys(headers)]).toEqual([
          route,
          status,
          expect.arrayContaining(expected),
        ]);
      }
    }
  });

  it('describes every parameter, and shows a value for it that fits', () => {
    const faults = [...published()].flatMap(([route, { parameters }]) =>
      parameters.flatMap(({ name, description, schema }) =>
        fieldFaults(`${route} ${name}`, { description, ...schema }),
      ),
    );
    expect(faults).toEqual([]);
  });

  function fieldFaults(place: string, schema: Schema & { description?: string | undefined }): string[] {
    if (!schema.description) return [`${place} is not described`];
    try {
      return faultsOf(document, schema, exampleOf(document, schema), place);
    } catch (error) {
      return [`${place}: ${String(error)}`];
    }
  }
});

describe.each(operations.map((operation) => [routeOf(operation), operation] as const))(
  '%s',
  (route, reference) => {
    it('has the tag, title, description and security of the reference', () => {
      const { tags: used, summary, description, security } = publishedAs(route);
      expect({ used, summary, description, security }).toEqual({
        used: [reference.tag],
        summary: reference.summary,
        description: reference.description,
        security: [
          ...(reference.security ? [{ [reference.security]: [] }] : []),
          ...(securityBeyondReference[route] ?? []),
        ],
      });
    });

    it('takes the parameters of the reference', () => {
      const { parameters } = publishedAs(route);
      const fieldsIn = (place: string) =>
        parameters
          .filter((parameter) => parameter.in === place)
          .map(({ name, required = false, description, schema }) =>
            fieldOf(name, { ...schema, ...(description !== undefined && { description }) }, required),
          );
      expectFields(route, fieldsIn('path'), reference.pathParameters);
      expectFields(route, fieldsIn('query'), reference.query);
      expect(parameters.filter((parameter) => !['path', 'query'].includes(parameter.in))).toEqual([]);
    });

    it('takes the body of the reference', () => {
      const { requestBody } = publishedAs(route);
      if (!reference.body) return expect(requestBody).toBeUndefined();
      expect(requestBody?.required).toBe(true);
      const contents = Object.entries(requestBody?.content ?? {});
      expect(contents.map(([type]) => type).sort()).toEqual(reference.body.contentTypes.toSorted());
      for (const [, { schema }] of contents) {
        const { type, required = [], properties = {} } = resolve(document, schema);
        expect(type).toBe('object');
        const fields = Object.entries(properties).map(([name, property]) =>
          fieldOf(name, property, required.includes(name)),
        );
        expectFields(route, fields, reference.body.fields);
      }
    });

    it('answers 200 with the envelope, or with a page', () => {
      const { responses } = publishedAs(route);
      expect(Object.keys(responses).filter((status) => status.startsWith('2'))).toEqual(['200']);
      const { content } = responses['200']!;
      if (reference.answer === 'page') {
        // Programs get the result of a form as JSON.
        const types = route.startsWith('POST ') ? ['text/html', JSON_TYPE] : ['text/html'];
        return expect(Object.keys(content)).toEqual(types);
      }
      const { type, required, properties = {} } = resolve(document, content[JSON_TYPE]!.schema);
      expect({ type, required, names: Object.keys(properties), status: properties.status }).toEqual({
        type: 'object',
        required: ['status', 'body'],
        names: ['status', 'body'],
        status: expect.objectContaining({ type: 'string', enum: ['ok'] }) as unknown,
      });
      expect(resolve(document, properties.body!).type).toBe(reference.answer);
    });
  },
);

describe.each(documented)('%s', (route) => {
  it('documents its failures with the status of each code', () => {
    const operation = publishedAs(route);
    for (const [status, { description, content }] of failuresOf(operation)) {
      // Pages explain their failures to browsers, and tell programs what the API would.
      const types = isJsonRoute(route) ? [JSON_TYPE] : ['text/html', JSON_TYPE];
      expect([status, Object.keys(content)]).toEqual([status, types]);
      expectErrorSchema(content[JSON_TYPE]!.schema, errorsIn({ content }));
      expect(errorsIn({ content })).not.toEqual([]);
      for (const { code, message } of errorsIn({ content })) {
        expect([code, statusOfCode.get(code)]).toEqual([code, Number(status)]);
        expect(Object.values(errorCatalogue)).toContainEqual({ code, status: Number(status), message });
        expect(description).toContain(`${code} ${message}`);
      }
    }
    const expected = [
      ...[1000, 1001, 1006, 1010],
      ...(route.startsWith('GET ') ? [] : [1007]),
      ...(operation.requestBody ? [1008] : []),
      ...(route.includes('{') ? [1005] : []),
      ...(isJsonRoute(route) ? accessCodesOf(operation) : []),
    ];
    const codes = failuresOf(operation).flatMap(([, response]) => errorsIn(response).map(({ code }) => code));
    expect(codes).toEqual(expect.arrayContaining(expected));
  });

  if (isJsonRoute(route)) {
    it('takes the values that the document shows', async () => {
      const answer = await sendExample(route);
      expect([answer.code, answer.text]).not.toEqual([1001, expect.anything()]);
      expectAsDocumented(route, answer);
    });
  }
});

/** Pages use cookies. */
function isJsonRoute(route: string): boolean {
  return !route.includes(' /web/');
}

function failuresOf({ responses }: Operation): [string, Response][] {
  return Object.entries(responses).filter(([status]) => Number(status) >= 400);
}

/** The errors that the document shows for a response. */
function errorsIn({ content }: Pick<Response, 'content'>): { code: number; message: string }[] {
  const { schema, examples = {} } = content[JSON_TYPE] ?? { schema: {} };
  return Object.values(examples).map(({ value }) => {
    expect(faultsOf(document, schema, value)).toEqual([]);
    return (value as { error: { code: number; message: string } }).error;
  });
}

function accessCodesOf({ security = [] }: Operation): number[] {
  return security.flatMap((one) => Object.keys(one)).flatMap((scheme) => ACCESS_CODES[scheme] ?? []);
}

/** Sends the request that Swagger UI would fill in, as someone who may. */
async function sendExample(route: string): Promise<Answer> {
  const { parameters, requestBody, security } = publishedAs(route);
  const [method = '', path = ''] = route.split(' ');
  const query = new URLSearchParams();
  let filled = path;
  for (const { name, in: place, schema } of parameters) {
    for (const value of [exampleOf(document, schema)].flat().map(String)) {
      if (place === 'query') query.append(name, value);
      else filled = filled.replace(`{${name}}`, encodeURIComponent(value));
    }
  }
  const json = requestBody?.content[JSON_TYPE];
  return app.client.request(method, query.size > 0 ? `${filled}?${query.toString()}` : filled, {
    ...(security && { token: await tokenFor(Object.keys(security[0] ?? {})[0]) }),
    ...(json && { body: bodyExampleOf(document, json) }),
  });
}

/** A new account each time, except for the administrator: some operations end it. */
async function tokenFor(scheme: string | undefined): Promise<string> {
  return scheme === 'AdminAuth' ? (await login(app, ADMIN)).access_token : (await signedIn(app)).token;
}

/** Asserts that the document says of the operation what the server did. */
function expectAsDocumented(route: string, answer: Answer): void {
  const response = publishedAs(route).responses[String(answer.status)];
  if (!response) throw new Error(`${route} does not document its ${answer.status}: ${answer.text}`);
  expect(faultsOf(document, response.content[JSON_TYPE]!.schema, answer.json)).toEqual([]);
  if (answer.status !== 200) expect(errorsIn(response).map(({ code }) => code)).toContain(answer.code);
  expectHeadersAsDocumented(response, answer);
}

/** Every header that depends on the operation or the status is documented, and has a value that fits. */
function expectHeadersAsDocumented({ headers }: Response, answer: Answer): void {
  const names = Object.keys(headers);
  expect(answer.headers.get('x-request-id')).toMatch(/^[\w.-]{1,64}$/);
  for (const name of ['Location', 'WWW-Authenticate', 'Retry-After', 'ETag'])
    if (answer.headers.has(name)) expect(names).toContain(name);
  for (const [name, reference] of Object.entries(headers)) {
    const { schema } = headerOf(document, reference);
    const text = answer.headers.get(name);
    const value = schema.type === 'integer' && text !== null ? Number(text) : text;
    if (value !== null) expect(faultsOf(document, schema, value, name)).toEqual([]);
  }
}

/** A field of the document in the reference's notation. */
function fieldOf(name: string, schema: Schema, isRequired: boolean): [string, ReferenceField] {
  const { description, enum: values } = schema;
  const type = typeNotation(document, schema);
  return [name, { isRequired, type, description, ...(values && { enum: values.map(String) }) }];
}

/**
 * Asserts name, order, type and words of the fields; those beyond the reference are optional and on the list.
 */
function expectFields(route: string, found: [string, ReferenceField][], expected: Fields): void {
  const extra = fieldsBeyondReference[route] ?? [];
  const own = found.filter(([name]) => name in expected);
  const others = found.filter(([name]) => !(name in expected));
  expect(others.filter(([name, { isRequired }]) => isRequired || !extra.includes(name))).toEqual([]);
  expect(own.map(([name]) => name)).toEqual(Object.keys(expected));
  for (const [name, field] of own) {
    const { description, ...rest } = expected[name]!;
    expect({ name, ...field }).toMatchObject({ name, ...rest, ...(description && { description }) });
  }
}

/** The envelope of a failure, with the codes that the response can have as an enum. */
function expectErrorSchema(schema: Schema, shown: { code: number }[]): void {
  const { required, properties = {} } = resolve(document, schema);
  expect([required, Object.keys(properties), properties.status?.enum]).toEqual([
    ['status', 'error'],
    ['status', 'error'],
    ['error'],
  ]);
  const error = resolve(document, properties.error!);
  expect([error.required, error.properties?.code?.type, error.properties?.message?.type]).toEqual([
    ['code', 'message'],
    'integer',
    'string',
  ]);
  expect(error.properties?.code?.enum).toEqual(shown.map(({ code }) => code));
}

describe('what the server answers is what the document says', () => {
  let tokens: Tokens;
  let token: string;
  beforeAll(async () => {
    ({ tokens, token } = await signedIn(app, { user_id: 'bob', name: 'Bob' }));
  });

  const ask = async (route: string, path: string, options: { body?: unknown; token?: string } = {}) => {
    const [method = ''] = route.split(' ');
    const answer = await app.client.request(method, path, options);
    expect(answer.status).toBe(200);
    expectAsDocumented(route, answer);
    return answer;
  };
  const post = (path: string, body?: unknown) => ask(`POST ${path}`, path, { body });
  const get = (path: string, bearer?: string) =>
    ask(`GET ${path}`, path, bearer === undefined ? {} : { token: bearer });

  it('of the health check', () => get('/v1/healthcheck'));

  it('of a registration', () => post('/v1/user/register', registration()));

  it('of a login', async () => {
    const { user_id, password } = await addAccount(app);
    await post('/v1/user/login/account', { account: user_id, password, app_id: 'pluto' });
  });

  it('of a refused login', async () => {
    const path = '/v1/user/login/account';
    const answer = await app.client.post(path, { account: 'bob', password: 'not this', app_id: 'pluto' });
    expect(answer.code).toBe(3001);
    expectAsDocumented(`POST ${path}`, answer);
  });

  it('of a refusal for want of a token', async () => {
    const answer = await app.client.get('/v1/user/info');
    expect([answer.code, answer.headers.get('www-authenticate')]).toEqual([1003, 'Bearer']);
    expectAsDocumented('GET /v1/user/info', answer);
  });

  it('of mails asked for', async () => {
    const { mail } = registration();
    await post('/v1/user/register/verify/mail', { mail, app_id: 'pluto' });
    await post('/v1/user/password/reset/mail', { mail, app_id: 'pluto' });
  });

  it('of a refresh', async () => {
    const account = await signedIn(app);
    await post('/v1/token/refresh', { refresh_token: account.tokens.refresh_token, app_id: 'pluto' });
  });

  it.each(['/v1/token/publickey', '/.well-known/jwks.json'])('of the keys at %s', async (path) => {
    const { headers } = await get(path);
    expect(headers.get('etag')).not.toBeNull();
  });

  it('of a token that is verified', () =>
    ask('GET /v1/token/access/verify', `/v1/token/access/verify?token=${tokens.access_token}`));

  it('of a profile, read and changed', async () => {
    await get('/v1/user/info', token);
    await ask('PUT /v1/user/info', '/v1/user/info', { token, body: { name: 'Robert' } });
  });

  it('of public profiles', async () => {
    const { sub } = (await get('/v1/user/info', token)).body as { sub: number };
    const several = await ask('GET /v1/user/info/public', `/v1/user/info/public?ids=${sub}&ids=999999`);
    expect(Object.keys(several.body as object)).toEqual([String(sub)]);
    await ask('GET /v1/user/info/{userId}/public', '/v1/user/info/bob/public');
  });

  it('of accounts found and counted', async () => {
    const administrator = (await login(app, ADMIN)).access_token;
    const found = await ask('GET /v1/user/search', '/v1/user/search?name=bob', { token: administrator });
    expect((found.body as { users: unknown[] }).users).toHaveLength(1);
    await get('/v1/user/summary', administrator);
  });

  it('of applications, roles and scopes', async () => {
    await get('/v1/rbac/application/list');
    await ask('GET /v1/rbac/role/list', '/v1/rbac/role/list?app_id=1');
    await ask('GET /v1/rbac/scope/list', '/v1/rbac/scope/list?app_id=1');
  });

  it('of the audit trail', async () => {
    const administrator = (await login(app, ADMIN)).access_token;
    const trail = await ask('GET /v1/audit', '/v1/audit?limit=3', { token: administrator });
    expect((trail.body as { events: unknown[] }).events).toHaveLength(3);
  });

  it('of a deletion', async () => {
    await ask('POST /v1/user/delete', '/v1/user/delete', { token: (await signedIn(app)).token });
  });
});
