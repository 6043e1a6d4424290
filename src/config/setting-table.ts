import { defaultLimits } from './request-limits.js';
import {
  addressOrCidr,
  applePrivateKey,
  baseUrl,
  bearerToken,
  boolean,
  database,
  directory,
  host,
  httpUrl,
  integer,
  mail,
  mailbox,
  oneOf,
  origin,
  password,
  publicUrl,
  redirectUrl,
  requestLimits,
  secretKey,
  smtpServer,
  urlOf,
  word,
} from './setting-kinds.js';
import { list, optional, type Variable, variable, variableBy } from './setting-variable.js';

const day = 86_400;
const year = 365 * day;

const server = {
  host: variable('HOST', host, '127.0.0.1', 'Address to listen on.'),
  port: variable('PORT', integer(0, 65_535), '8010', 'Port to listen on; with 0 the system chooses one.'),
  publicUrl: variable(
    'PUBLIC_URL',
    publicUrl,
    (textOf) => localUrl(textOf('PORT')),
    'Base URL of every link and redirect, also with a path that the proxy removes; follows PORT unless set.',
  ),
  trustProxy: list('TRUST_PROXY', addressOrCidr, 'Reverse proxies whose X-Forwarded-For header is trusted.'),
  trustedClients: list(
    'TRUSTED_CLIENTS',
    word,
    "Keys of OAuth clients whose password grants may name the user's address (user_address).",
  ),
  corsOrigins: list('CORS_ORIGINS', origin, 'Origins that may call the JSON API from a browser.'),
  legacyAdmin: variable(
    'LEGACY_ADMIN',
    boolean,
    'false',
    'true answers in the shapes that the old Vue admin app expects.',
  ),
  rateLimit: variable('RATE_LIMIT', boolean, 'true', 'false disables all request limits (for load tests).'),
  requestLimits: variableBy(
    'RATE_LIMITS',
    requestLimits,
    () => ({ ...defaultLimits }),
    'Limits that replace defaults, each name=tries/seconds, separated by commas; see docs/operations.md.',
  ),
  stopDelaySeconds: variable(
    'STOP_DELAY',
    integer(0, 300),
    '0',
    'Seconds to keep serving after SIGTERM while /health/ready returns 503, until the load balancer notices.',
  ),
  logLevel: variable(
    'LOG_LEVEL',
    oneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
    'info',
    'Lowest level that is logged.',
  ),
  logFormat: variableBy(
    'LOG_FORMAT',
    oneOf('pretty', 'json'),
    () => (process.stdout.isTTY ? 'pretty' : 'json'),
    'Format of log lines; pretty on a terminal and json elsewhere unless set.',
  ),
};

const metrics = {
  metricsPort: optional(
    'METRICS_PORT',
    integer(0, 65_535),
    'Separate port for Prometheus, at /metrics; metrics are off unless this or METRICS_TOKEN is set.',
  ),
  metricsHost: variable('METRICS_HOST', host, '127.0.0.1', 'Address that METRICS_PORT listens on.'),
  metricsToken: optional(
    'METRICS_TOKEN',
    bearerToken,
    'Bearer token required by /metrics, which is on PORT unless METRICS_PORT is set.',
  ),
};

const storage = {
  dataDir: variable(
    'DATA_DIR',
    directory,
    './data',
    'Folder of the embedded database, avatars, mail outbox and generated secret.',
  ),
  database: variable(
    'DATABASE_URL',
    database,
    (textOf) => `sqlite:${textOf('DATA_DIR')}/pluto.db`,
    'MySQL 8, MariaDB 10.6+ or compatible (?pool=20&tls=true and more: docs/operations.md), or an embedded database; embedded in DATA_DIR unless set.',
  ),
  upkeepIntervalSeconds: variable(
    'UPKEEP_INTERVAL',
    integer(1, day),
    '3600',
    'Seconds between two cleanups of expired rows and files.',
  ),
  databaseMigrate: variable('DATABASE_MIGRATE', boolean, 'true', 'Run pending migrations at start.'),
  redisUrl: optional(
    'REDIS_URL',
    urlOf('redis:', 'rediss:'),
    'Request counters shared by all instances; without it, or while it is unreachable, each process counts alone.',
  ),
  secretKey: optional(
    'SECRET_KEY',
    secretKey,
    'Protects cookies, state and the signing keys at rest; generated into DATA_DIR unless set, required with mysql:.',
  ),
};

const accounts = {
  smtpUrl: optional(
    'SMTP_URL',
    smtpServer,
    'Mail server; without it each mail becomes a file in DATA_DIR/outbox and its link a log line.',
  ),
  mailFrom: variable(
    'MAIL_FROM',
    mailbox,
    'Pluto <no-reply@localhost>',
    'Sender of every mail, required with SMTP_URL; its name is always that of the application.',
  ),
  adminMail: variable(
    'ADMIN_MAIL',
    mail,
    'admin@localhost',
    'First administrator, created when the database has none.',
  ),
  adminPassword: optional(
    'ADMIN_PASSWORD',
    password,
    'Password of the first administrator; generated and printed once unless set.',
  ),
  skipRegisterVerifyMail: variable(
    'SKIP_REGISTER_VERIFY_MAIL',
    boolean,
    'false',
    'true verifies new accounts immediately and sends no mail.',
  ),
};

const lifetimes = {
  accessTokenTtlSeconds: variable(
    'ACCESS_TOKEN_TTL',
    integer(1, year),
    '3600',
    'Lifetime of an access token in seconds.',
  ),
  refreshTokenTtlSeconds: variable(
    'REFRESH_TOKEN_TTL',
    integer(1, 10 * year),
    '2419200',
    'Lifetime of an unused refresh token in seconds.',
  ),
  refreshTokenGraceSeconds: variable(
    'REFRESH_TOKEN_GRACE',
    integer(0, day),
    '30',
    'Seconds in which a reused refresh token gets the same response as the first use.',
  ),
  sessionMaxAgeSeconds: variable(
    'SESSION_MAX_AGE',
    integer(60, 10 * year),
    '31536000',
    'Seconds after its login when a session ends, however often it is refreshed.',
  ),
  verifyTokenTtlSeconds: variable(
    'VERIFY_TOKEN_TTL',
    integer(1, year),
    '86400',
    'Lifetime of a mail verification link in seconds.',
  ),
  resetTokenTtlSeconds: variable(
    'RESET_TOKEN_TTL',
    integer(1, year),
    '3600',
    'Lifetime of a password reset link in seconds.',
  ),
  pageSessionTtlSeconds: variable(
    'PAGE_SESSION_TTL',
    integer(60, year),
    '1209600',
    'Seconds that a browser stays signed in to the hosted pages.',
  ),
  // RFC 6749 section 4.1.2 recommends ten minutes at most.
  authorizationCodeTtlSeconds: variable(
    'AUTHORIZATION_CODE_TTL',
    integer(1, 600),
    '600',
    'Lifetime of an authorization code in seconds.',
  ),
};

const audit = {
  auditRetentionDays: variable(
    'AUDIT_RETENTION_DAYS',
    integer(1, 3650),
    '180',
    'Days that audit events are kept.',
  ),
  auditAddressRetentionSeconds: variable(
    'AUDIT_ADDRESS_RETENTION',
    integer(0, 10 * year),
    '2592000',
    'Seconds after the deletion of an account that the addresses in its audit events are kept.',
  ),
};

const google = {
  clientIds: list('GOOGLE_CLIENT_IDS', word, 'Allowed audiences of Google ID tokens.'),
  issuer: variable('GOOGLE_ISSUER', httpUrl, 'https://accounts.google.com', 'Issuer of Google ID tokens.'),
  jwksUrl: variable(
    'GOOGLE_JWKS_URL',
    httpUrl,
    'https://www.googleapis.com/oauth2/v3/certs',
    'URL of the keys that sign Google ID tokens.',
  ),
};

const apple = {
  teamId: optional('APPLE_TEAM_ID', word, 'Team id of the Apple developer account.'),
  keyId: optional('APPLE_KEY_ID', word, 'Id of the private key.'),
  privateKey: optional('APPLE_PRIVATE_KEY', applePrivateKey, 'Content of the .p8 file.'),
  clientId: optional('APPLE_CLIENT_ID', word, 'Bundle id of the app, or id of the service.'),
  baseUrl: variable(
    'APPLE_BASE_URL',
    baseUrl,
    'https://appleid.apple.com',
    'Base URL of /auth/token, /auth/keys and /auth/revoke.',
  ),
};

const wechat = {
  appId: optional('WECHAT_APP_ID', word, 'App id of the mobile app.'),
  appSecret: optional('WECHAT_APP_SECRET', word, 'Secret of the mobile app.'),
  webAppId: optional('WECHAT_WEB_APP_ID', word, 'App id of the website app.'),
  webAppSecret: optional('WECHAT_WEB_APP_SECRET', word, 'Secret of the website app.'),
  webRedirectUrls: list(
    'WECHAT_WEB_REDIRECT_URLS',
    redirectUrl,
    'URLs that a web sign-in may return to; compared exactly.',
  ),
  apiUrl: variable('WECHAT_API_URL', baseUrl, 'https://api.weixin.qq.com', 'Base URL of the WeChat API.'),
  openUrl: variable(
    'WECHAT_OPEN_URL',
    baseUrl,
    'https://open.weixin.qq.com',
    'Base URL of the sign-in page.',
  ),
};

/** Every variable by group, in the order of `.env.example`. */
export const variableGroups: Record<string, Record<string, Variable<unknown>>> = {
  Server: server,
  Metrics: metrics,
  'Database and secrets': storage,
  'Accounts and mail': accounts,
  Lifetimes: lifetimes,
  'Audit trail': audit,
  'Sign-in with Google': google,
  'Sign-in with Apple': apple,
  'Sign-in with WeChat': wechat,
};

/** Every variable, in the shape of `Settings`. */
export const settingTable = {
  ...server,
  ...metrics,
  ...storage,
  ...accounts,
  ...lifetimes,
  ...audit,
  google,
  apple,
  wechat,
};

type ValuesOf<T> = { readonly [K in keyof T]: T[K] extends Variable<infer V> ? V : ValuesOf<T[K]> };

/** The parsed values of all variables. */
export type SettingValues = ValuesOf<typeof settingTable>;

// With port 0 the system chooses one later; no browser opens port 0.
function localUrl(port: string): string {
  return Number(port) === 0 ? 'http://localhost' : `http://localhost:${port}`;
}
