import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import type { ErrorKey } from '../common/errors.js';
import { describeResponses } from './document-responses.js';
import { applyRules, operationId } from './document-rules.js';
import { Settings } from '../config/settings.js';
import { failureResponses, type FailureResponse } from '../common/failure-responses.js';

const DESCRIPTION = `Pluto provides a set of HTTP restful APIs for user authentication, authorization, RBAC, and OAuth services.

## Authentication

The API uses different authentication mechanisms:

- No authentication required for public endpoints
- Access token authentication for user endpoints
- Admin authentication for administrative endpoints

## Error Response

All error responses follow this format:

\`\`\`json
{
  "status": "error",
  "error": {
    "code": <error_code>,
    "message": "<error_message>"
  }
}
\`\`\``;

const TAGS = {
  'Health Check': 'API health monitoring',
  'User Authentication': 'User registration and authentication',
  'User Management': 'User profile and account management',
  'User Administration': 'Administrative user operations',
  'RBAC Management': 'Role-based access control management',
  'Token Management': 'JWT token operations',
  OAuth: 'OAuth 2.0 operations',
  'Web Interface': 'Web-based UI endpoints',
  Audit: 'Security events of accounts and of the administration',
};

/** The paths of those tags whose order in the reference differs from that of the controllers. */
const PATHS = [
  '/v1/user/register',
  '/v1/user/register/verify/mail',
  '/v1/user/login/account',
  '/v1/user/login/google/mobile',
  '/v1/user/login/apple/mobile',
  '/v1/user/login/wechat/web',
  '/v1/user/login/wechat/mobile',
  '/v1/user/password/reset/mail',
  '/v1/rbac/role/create',
  '/v1/rbac/scope/create',
  '/v1/rbac/role/scope',
  '/v1/rbac/role/scope/default',
  '/v1/rbac/application/create',
  '/v1/rbac/application/update-i18n-name',
  '/v1/rbac/application/i18n-name',
  '/v1/rbac/application/role/default',
  '/v1/rbac/application/list',
  '/v1/rbac/role/list',
  '/v1/rbac/scope/list',
  '/v1/rbac/user/application/role',
  '/web/mail/verify/{token}',
  '/web/password/reset/{token}',
];

const JSON_TYPE = 'application/json';
const BEARER = { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } as const;

/** Describes the routes of the application, as the API reference does. */
export function buildApiDocument(app: INestApplication): OpenAPIObject {
  const builder = new DocumentBuilder()
    .setTitle('Pluto API')
    .setVersion('1.0.0')
    .setDescription(DESCRIPTION)
    .setLicense('MIT', 'https://opensource.org/license/mit')
    .addServer(app.get(Settings).publicPath || '/')
    .addSecurity('AccessToken', { ...BEARER, description: 'An access token of any application' })
    .addSecurity('UserAuth', {
      ...BEARER,
      description: 'An access token of `pluto` with `pluto.user` or `pluto.admin`',
    })
    .addSecurity('AdminAuth', { ...BEARER, description: 'An access token of `pluto` with `pluto.admin`' })
    .addSecurity('Client', {
      type: 'http',
      scheme: 'basic',
      description: 'Key and secret of an OAuth client; they may be in the body instead',
    })
    .addSecurity('PageSession', {
      type: 'apiKey',
      in: 'cookie',
      name: 'access_token',
      description: 'The session of the hosted pages in a browser',
    });
  for (const [name, description] of Object.entries(TAGS)) builder.addTag(name, description);
  const { openapi, info, tags, paths, ...rest } = SwaggerModule.createDocument(app, builder.build(), {
    operationIdFactory: operationId,
  });
  // The builder adds an empty contact.
  delete info.contact;
  for (const [path, item] of Object.entries(paths)) describeFailuresOfKind(path, item);
  for (const item of Object.values(paths)) sayPublic(item);
  return describeResponses(applyRules({ openapi, info, tags, ...rest, paths: inOrder(paths) }));
}

type PathItem = OpenAPIObject['paths'][string];
type ApiOperation = NonNullable<PathItem['get']>;

/** Adds the failures that follow from method and path alone: of a request body and of a path parameter. */
function describeFailuresOfKind(path: string, { get, post, put }: PathItem): void {
  const ofPath: ErrorKey[] = path.includes('{') ? ['pathNotFound'] : [];
  const isForBrowsers = path.startsWith('/web/');
  for (const operation of [get, post, put]) {
    if (!operation) continue;
    const keys = operation === get ? ofPath : [...ofPath, ...failuresOfBody(operation)];
    for (const response of failureResponses(keys, { isForBrowsers })) addFailure(operation, response);
  }
}

/** `security: []` says that an operation is public; without it generators would have to guess. */
function sayPublic({ get, post, put }: PathItem): void {
  for (const operation of [get, post, put]) if (operation) operation.security ??= [];
}

/** An operation without a body ignores one, of any type, up to the limit. */
function failuresOfBody({ requestBody }: ApiOperation): ErrorKey[] {
  return requestBody ? ['bodyTooLarge', 'unsupportedContentType'] : ['bodyTooLarge'];
}

function addFailure({ responses }: ApiOperation, { status, description, content }: FailureResponse): void {
  const known = responses[status] as FailureResponse | undefined;
  responses[status] = {
    description: known ? `${known.description}; ${description}` : description,
    content: { ...known?.content, ...content, ...mergedJson(known?.content, content) },
  };
}

/** Both may show codes of the same status. */
function mergedJson(
  known: FailureResponse['content'] = {},
  added: FailureResponse['content'],
): FailureResponse['content'] {
  const [one, other] = [known[JSON_TYPE], added[JSON_TYPE]];
  if (!one || !other) return {};
  return { [JSON_TYPE]: { ...other, examples: { ...one.examples, ...other.examples } } };
}

/**
 * Sorts the paths by the order of the tags and, within a tag, of the reference, independent of the order of
 * the modules; the paths of a tag that the reference does not have follow in the order of their controllers.
 */
function inOrder(paths: OpenAPIObject['paths']): OpenAPIObject['paths'] {
  const tags = Object.keys(TAGS);
  const tagOf = (item: PathItem) => tags.indexOf((item.get ?? item.post ?? item.put)?.tags?.[0] ?? '');
  const placeOf = (path: string) => (PATHS.includes(path) ? PATHS.indexOf(path) : PATHS.length);
  const sorted = Object.entries(paths).sort(
    ([path, item], [otherPath, other]) => tagOf(item) - tagOf(other) || placeOf(path) - placeOf(otherPath),
  );
  return Object.fromEntries(sorted);
}

/** Serves the document at `/openapi.json` and Swagger UI at `/docs`. */
export function serveApiDocument(app: INestApplication): void {
  SwaggerModule.setup('docs', app, () => buildApiDocument(app), {
    raw: ['json'],
    jsonDocumentUrl: 'openapi.json',
    customSiteTitle: 'Pluto API',
    swaggerOptions: { persistAuthorization: false, displayRequestDuration: true },
  });
}
