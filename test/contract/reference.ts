/**
 * The API reference as data: what the published document has to say, operation by operation, in the order and
 * the words of the reference. Paths and methods are those of the wire contract.
 */
export interface ReferenceOperation {
  method: 'get' | 'post' | 'put';
  path: string;
  tag: TagName;
  summary: string;
  description: string;
  security: 'AccessToken' | 'UserAuth' | 'AdminAuth' | null;
  pathParameters: Fields;
  query: Fields;
  body: Body | null;
  /** What a success is: the envelope with an object or with an array in it, or a page. */
  answer: 'object' | 'array' | 'page';
}

/** A field in the reference's own notation: `string <email>`, `Array of integers`. */
export interface ReferenceField {
  isRequired: boolean;
  type: string;
  /** Undefined where the reference says nothing. */
  description?: string | undefined;
  enum?: string[];
}

export type Fields = Record<string, ReferenceField>;

interface Body {
  contentTypes: string[];
  fields: Fields;
}

export const info = {
  title: 'Pluto API',
  version: '1.0.0',
  license: 'MIT',
  description: `Pluto provides a set of HTTP restful APIs for user authentication, authorization, RBAC, and OAuth services.

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
\`\`\``,
};

export const tags = {
  'Health Check': 'API health monitoring',
  'User Authentication': 'User registration and authentication',
  'User Management': 'User profile and account management',
  'User Administration': 'Administrative user operations',
  'RBAC Management': 'Role-based access control management',
  'Token Management': 'JWT token operations',
  OAuth: 'OAuth 2.0 operations',
  'Web Interface': 'Web-based UI endpoints',
} as const;

export type TagName = keyof typeof tags;

const JSON_TYPE = 'application/json';
const FORM_TYPE = 'application/x-www-form-urlencoded';

const required = (type: string, description?: string): ReferenceField => ({
  isRequired: true,
  type,
  description,
});
const optional = (type: string, description?: string): ReferenceField => ({
  isRequired: false,
  type,
  description,
});
const json = (fields: Fields): Body => ({ contentTypes: [JSON_TYPE], fields });
const form = (fields: Fields): Body => ({ contentTypes: [FORM_TYPE], fields });

type Details = Partial<Pick<ReferenceOperation, 'security' | 'pathParameters' | 'query' | 'body' | 'answer'>>;

/** An operation by `METHOD path`, title, description and whatever else it has. */
function operation(
  tag: TagName,
  route: string,
  summary: string,
  description: string,
  details: Details = {},
): ReferenceOperation {
  const [method = '', path = ''] = route.split(' ');
  return {
    method: method.toLowerCase() as ReferenceOperation['method'],
    path,
    tag,
    summary,
    description,
    security: null,
    pathParameters: {},
    query: {},
    body: null,
    answer: 'object',
    ...details,
  };
}

const namedApplication = required('string', 'Application ID');
const numberedApplication = required('integer', 'Application ID');
const deviceId = optional('string', 'Device identifier');
const accountLogin = {
  account: required('string', 'Email or username'),
  password: required('string', 'User password'),
  device_id: deviceId,
  app_id: namedApplication,
};

const healthCheck = [
  operation('Health Check', 'GET /v1/healthcheck', 'Health check', 'Check the health status of the API'),
];

const userAuthentication = [
  operation(
    'User Authentication',
    'POST /v1/user/register',
    'Register user with email',
    'Register a new user account with email',
    {
      body: json({
        mail: required('string <email>', 'User email address'),
        user_id: required('string', 'Unique user ID'),
        name: required('string', 'User display name'),
        password: required('string', 'User password'),
        app_id: namedApplication,
      }),
    },
  ),
  operation(
    'User Authentication',
    'POST /v1/user/register/verify/mail',
    'Send registration verification mail',
    'Send verification email for user registration',
    {
      body: json({
        mail: optional('string <email>', 'User email address'),
        app_id: namedApplication,
        user_id: optional('string', 'User ID'),
      }),
    },
  ),
  operation(
    'User Authentication',
    'POST /v1/user/login/account',
    'Login with email or username',
    'Authenticate user with email/username and password',
    { body: json(accountLogin) },
  ),
  operation(
    'User Authentication',
    'POST /v1/user/login/google/mobile',
    'Login with google account for mobile app',
    'Authenticate user with Google ID token for mobile applications',
    {
      body: json({
        id_token: required('string', 'Google ID token'),
        device_id: deviceId,
        app_id: namedApplication,
      }),
    },
  ),
  operation(
    'User Authentication',
    'POST /v1/user/login/apple/mobile',
    'Login with apple account for mobile app',
    'Authenticate user with Apple authorization code for mobile applications',
    {
      body: json({
        code: required('string', 'Apple authorization code'),
        device_id: deviceId,
        app_id: namedApplication,
      }),
    },
  ),
  operation(
    'User Authentication',
    'GET /v1/user/login/wechat/web',
    'Login with wechat account for web app',
    'Initiate WeChat OAuth flow for web applications',
  ),
  operation(
    'User Authentication',
    'POST /v1/user/login/wechat/mobile',
    'Login with wechat account for mobile app',
    'Authenticate user with WeChat authorization code for mobile applications',
    {
      body: json({
        code: required('string', 'WeChat authorization code'),
        device_id: deviceId,
        app_id: namedApplication,
      }),
    },
  ),
  operation(
    'User Authentication',
    'POST /v1/user/password/reset/mail',
    'Send password reset mail',
    'Send password reset email to user',
    {
      body: json({
        mail: required('string <email>', 'User email address'),
        app_id: namedApplication,
      }),
    },
  ),
];

const userManagement = [
  operation(
    'User Management',
    'POST /v1/user/binding',
    'Bind mail, google, wechat, apple account',
    'Bind external accounts to the user profile',
    {
      security: 'AccessToken',
      body: json({
        mail: optional('string <email>', 'Email to bind'),
        code: optional('string', 'Authorization code'),
        id_token: optional('string', 'ID token for social login'),
        type: required('string', 'Binding type (mail, google, wechat, apple)'),
      }),
    },
  ),
  operation(
    'User Management',
    'POST /v1/user/unbinding',
    'Unbind mail, google, wechat, apple account',
    'Remove external account binding from user profile',
    { security: 'AccessToken', body: json({ type: required('string', 'Binding type to remove') }) },
  ),
  operation(
    'User Management',
    'GET /v1/user/info',
    'Get user info',
    "Get current user's profile information",
    { security: 'AccessToken' },
  ),
  operation(
    'User Management',
    'PUT /v1/user/info',
    'Update user info',
    "Update current user's profile information",
    {
      security: 'AccessToken',
      body: json({
        name: optional('string', 'User display name'),
        avatar: optional('string', 'User avatar URL'),
        user_id: optional('string', 'User ID'),
      }),
    },
  ),
  operation(
    'User Management',
    'GET /v1/user/info/public',
    'Get user public info like avatar, name',
    'Get public user information',
    { query: { ids: optional('Array of strings', 'User IDs to fetch') } },
  ),
  operation(
    'User Management',
    'GET /v1/user/info/{userId}/public',
    'Get user public info like avatar, name by userId',
    'Get public user information by user ID',
    { pathParameters: { userId: required('string', 'User ID') } },
  ),
  operation('User Management', 'POST /v1/user/delete', 'Delete user', 'Delete current user account', {
    security: 'AccessToken',
  }),
];

const userAdministration = [
  operation(
    'User Administration',
    'GET /v1/user/search',
    'Search the user using name or mail',
    'Search for users by name or email (admin only)',
    { security: 'AdminAuth', query: { name: required('string', 'Name or email to search for') } },
  ),
  operation(
    'User Administration',
    'GET /v1/user/summary',
    'Get the summary of users',
    'Get statistical summary of user data (admin only)',
    { security: 'AdminAuth' },
  ),
];

const rbacManagement = [
  operation(
    'RBAC Management',
    'POST /v1/rbac/role/create',
    'Create role',
    'Create a new role in the application',
    {
      security: 'AdminAuth',
      body: json({ app_id: numberedApplication, name: required('string', 'Role name') }),
    },
  ),
  operation(
    'RBAC Management',
    'POST /v1/rbac/scope/create',
    'Create scope',
    'Create a new scope in the application',
    {
      security: 'AdminAuth',
      body: json({ app_id: numberedApplication, name: required('string', 'Scope name') }),
    },
  ),
  operation(
    'RBAC Management',
    'PUT /v1/rbac/role/scope',
    'Update scopes of the role',
    'Update the scopes assigned to a role',
    {
      security: 'AdminAuth',
      body: json({
        role_id: required('integer', 'Role ID'),
        scopes: required('Array of integers', 'Array of scope IDs'),
      }),
    },
  ),
  operation(
    'RBAC Management',
    'PUT /v1/rbac/role/scope/default',
    'Set the default scope of the role',
    'Set the default scope for a role',
    {
      security: 'AdminAuth',
      body: json({
        role_id: required('integer', 'Role ID'),
        scope_id: required('integer', 'Scope ID'),
      }),
    },
  ),
  operation(
    'RBAC Management',
    'POST /v1/rbac/application/create',
    'Create application',
    'Create a new application',
    { security: 'AdminAuth', body: json({ name: required('string', 'Application name') }) },
  ),
  operation(
    'RBAC Management',
    'POST /v1/rbac/application/update-i18n-name',
    'Update application i18n name',
    'Update internationalized names for the application',
    {
      security: 'AdminAuth',
      body: json({ app_id: numberedApplication, i18n_names: required('Array of objects') }),
    },
  ),
  operation(
    'RBAC Management',
    'GET /v1/rbac/application/i18n-name',
    'get application i18n name',
    'Get internationalized name for the application',
    { security: 'AdminAuth', query: { app_id: numberedApplication } },
  ),
  operation(
    'RBAC Management',
    'POST /v1/rbac/application/role/default',
    'Set the default role of the application',
    'Set the default role for an application',
    {
      security: 'AdminAuth',
      body: json({ app_id: numberedApplication, role_id: required('integer', 'Role ID') }),
    },
  ),
  operation(
    'RBAC Management',
    'GET /v1/rbac/application/list',
    'List all the applications',
    'Get a list of all applications',
    { answer: 'array' },
  ),
  operation(
    'RBAC Management',
    'GET /v1/rbac/role/list',
    'List all the roles in the application',
    'Get a list of all roles in a specific application',
    { query: { app_id: numberedApplication } },
  ),
  operation(
    'RBAC Management',
    'GET /v1/rbac/scope/list',
    'List all the scopes in the application',
    'Get a list of all scopes in a specific application',
    { query: { app_id: numberedApplication } },
  ),
  operation(
    'RBAC Management',
    'POST /v1/rbac/user/application/role',
    'Set the role of a user in application',
    'Assign a role to a user for a specific application',
    {
      security: 'AdminAuth',
      body: json({
        user_id: required('integer', 'User ID'),
        app_id: numberedApplication,
        role_id: required('integer', 'Role ID'),
      }),
    },
  ),
];

const tokenManagement = [
  operation(
    'Token Management',
    'POST /v1/token/refresh',
    'Refresh access token',
    'Refresh an access token using a refresh token',
    {
      body: json({
        refresh_token: required('string', 'Refresh token'),
        app_id: namedApplication,
        scopes: optional('string', 'Requested scopes'),
      }),
    },
  ),
  operation(
    'Token Management',
    'GET /v1/token/publickey',
    'Get the rsa public key',
    'Get the RSA public key for token verification',
  ),
  operation(
    'Token Management',
    'GET /v1/token/access/verify',
    'Verify access token',
    'Verify the validity of an access token',
    { query: { token: required('string', 'Access token to verify') } },
  ),
];

const oauth = [
  operation(
    'OAuth',
    'POST /v1/oauth/tokens',
    'Request access token',
    'Request an OAuth access token using various grant types',
    {
      body: {
        contentTypes: [JSON_TYPE, FORM_TYPE],
        fields: {
          grant_type: {
            ...required('string', 'OAuth grant type'),
            enum: ['authorization_code', 'password', 'client_credentials', 'refresh_token'],
          },
          code: optional('string', 'Authorization code (for authorization_code grant)'),
          redirect_uri: optional('string <uri>', 'Redirect URI (for authorization_code grant)'),
          scopes: optional('string', 'Requested scopes'),
          app_id: optional('string', 'Application ID'),
          device_id: optional('string', 'Device ID'),
          password: optional('string', 'User password (for password grant)'),
          user: optional('string', 'Username (for password grant)'),
          refresh_token: optional('string', 'Refresh token (for refresh_token grant)'),
        },
      },
    },
  ),
  operation('OAuth', 'GET /v1/oauth/client', 'Get clients', 'Get OAuth clients for the authenticated user', {
    security: 'UserAuth',
  }),
  operation('OAuth', 'POST /v1/oauth/client', 'Create client', 'Create a new OAuth client', {
    security: 'UserAuth',
    body: json({
      key: required('string', 'Client key'),
      // Required in the reference; Pluto makes one that is left out.
      secret: optional('string', 'Client secret'),
      redirect_uri: required('string <uri>', 'Client redirect URI'),
    }),
  }),
  operation(
    'OAuth',
    'PUT /v1/oauth/client/status',
    'Change the client status',
    'Change the status of an OAuth client (admin only)',
    {
      security: 'AdminAuth',
      body: json({
        key: required('string', 'Client key'),
        status: required('string', 'Client status'),
      }),
    },
  ),
];

const webInterface = [
  operation(
    'Web Interface',
    'GET /web/mail/verify/{token}',
    'Verify the mail registration',
    'Web page for email verification',
    { pathParameters: { token: required('string', 'Verification token') }, answer: 'page' },
  ),
  operation(
    'Web Interface',
    'GET /web/password/reset/{token}',
    'Reset password page',
    'Web page for password reset',
    { pathParameters: { token: required('string', 'Reset token') }, answer: 'page' },
  ),
  operation(
    'Web Interface',
    'POST /web/password/reset/{token}',
    'Reset password',
    'Process password reset form submission',
    {
      pathParameters: { token: required('string', 'Reset token') },
      body: form({ password: required('string', 'New password') }),
      answer: 'page',
    },
  ),
  operation('Web Interface', 'GET /web/authorize', 'Oauth authorize page', 'OAuth authorization page', {
    security: 'AccessToken',
    query: {
      client_id: required('string'),
      app_id: required('string'),
      redirect_uri: required('string'),
      response_type: required('string'),
      state: optional('string'),
    },
    answer: 'page',
  }),
  operation('Web Interface', 'POST /web/authorize', 'Oauth authorize', 'Process OAuth authorization', {
    security: 'AccessToken',
    body: form({
      client_id: required('string', 'OAuth client ID'),
      app_id: namedApplication,
      redirect_uri: optional('string <uri>', 'Redirect URI'),
      response_type: { ...required('string', 'OAuth response type'), enum: ['code', 'token'] },
      state: optional('string', 'State parameter'),
      scopes: optional('string', 'Requested scopes'),
      life_time: optional('integer <int64>', 'Token lifetime in seconds'),
    }),
  }),
  operation('Web Interface', 'GET /web/login', 'Login page', 'Web login page', {
    query: { app_id: optional('string', 'Application ID') },
    answer: 'page',
  }),
  operation('Web Interface', 'POST /web/login', 'Login with email or username', 'Process web login form', {
    body: form(accountLogin),
  }),
];

/** Every operation, in the order of the reference. */
export const operations: ReferenceOperation[] = [
  ...healthCheck,
  ...userAuthentication,
  ...userManagement,
  ...userAdministration,
  ...rbacManagement,
  ...tokenManagement,
  ...oauth,
  ...webInterface,
];

/** Tags that the document has after those of the reference. */
export const tagsBeyondReference = {
  Audit: 'Security events of accounts and of the administration',
};

/** What the document has in addition to the reference, and why. */
export const operationsBeyondReference = [
  // A GET never uses a link up, since mail scanners follow links: the page's button posts.
  'POST /web/mail/verify/{token}',
  // Where the sign-ins of an application may return to, and its own provider accounts, have to be set
  // somehow.
  'GET /v1/rbac/application/settings',
  'PUT /v1/rbac/application/settings',
  // A new address is confirmed, and the former one can undo it; links open pages whose button posts.
  'POST /v1/user/mail/change',
  'GET /web/mail/change/{token}',
  'POST /web/mail/change/{token}',
  'GET /web/mail/change/undo/{token}',
  'POST /web/mail/change/undo/{token}',
  // Before changes to the ways to sign in, where an application asks for it.
  'POST /v1/user/reauthenticate',
  // An app signs out; people see where they are signed in, end that, and change their password.
  'POST /v1/user/logout',
  'GET /v1/user/session/list',
  'POST /v1/user/session/end',
  'POST /v1/user/session/end-others',
  'POST /v1/user/password/change',
  // Which applications a client may get tokens of its own for.
  'PUT /v1/oauth/client/application',
  // Where standard JWT libraries look for keys.
  'GET /.well-known/jwks.json',
  // Who did what, for whoever has to find out after an attack.
  'GET /v1/audit',
];

/** Optional fields that the wire contract adds to the reference, by operation. */
export const fieldsBeyondReference: Record<string, string[]> = {
  'POST /v1/user/login/apple/mobile': ['name'],
  'GET /v1/user/login/wechat/web': ['app_id', 'redirect_url', 'redirect_uri', 'code', 'state'],
  'GET /v1/user/info/{userId}/public': ['app_id'],
  'GET /v1/user/search': ['limit', 'offset'],
  // `scope` is the field's name in RFC 6749, which generic clients send; the others are of RFC 7636.
  'POST /v1/oauth/tokens': ['client_id', 'client_secret', 'scope', 'code_verifier', 'user_address'],
  'POST /v1/token/refresh': ['device_id'],
  'GET /web/authorize': ['scopes', 'scope', 'life_time', 'code_challenge', 'code_challenge_method'],
  'POST /web/authorize': ['_csrf', 'code_challenge', 'code_challenge_method', 'decision'],
  'GET /web/login': ['next'],
  // `_csrf` is the hidden field of the page's form.
  'POST /web/login': ['_csrf', 'next'],
  'POST /web/password/reset/{token}': ['_csrf', 'password_repeat', 'bindings', 'keep'],
};

/** Paths that existing clients use and that the document leaves out. */
export const unpublishedAliases = [
  'POST /v1/rbac/role/scope',
  'POST /v1/rbac/role/scope/default',
  'POST /v1/token/access/verify',
];

/** The codes of the wire contract by the HTTP status that each comes with. */
const codesByStatus: Record<number, number[]> = {
  400: [1001, 2004, 2009, 3006],
  401: [1003, 5005, 5006, 5007],
  403: [
    1002, 2001, 2002, 2003, 2005, 2006, 2007, 2008, 2010, 2011, 3001, 3002, 3003, 3004, 3005, 3007, 3008,
    3009, 3010, 3011, 3013, 4001, 4002, 4003, 4004, 4005, 4006, 4007, 4008, 4009, 4010, 5001, 5002, 5003,
    5004, 5008,
  ],
  404: [1005],
  405: [1009],
  413: [1007],
  415: [1008],
  429: [1006],
  500: [1000],
  503: [1010],
};

/** The HTTP status of every code. */
export const statusOfCode: ReadonlyMap<number, number> = new Map(
  Object.entries(codesByStatus).flatMap(([status, codes]) => codes.map((code) => [code, Number(status)])),
);

/** `GET /v1/user/info`, as the lists above write it. */
export function routeOf({ method, path }: Pick<ReferenceOperation, 'method' | 'path'>): string {
  return `${method.toUpperCase()} ${path}`;
}

/** How else operations may be authorized. */
export const securityBeyondReference: Record<string, Record<string, string[]>[]> = {
  'POST /v1/oauth/tokens': [{ Client: [] }, {}],
  'GET /web/authorize': [{ PageSession: [] }],
  'POST /web/authorize': [{ PageSession: [] }],
};
