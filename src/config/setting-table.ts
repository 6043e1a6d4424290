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
    baseUrl,
    (textOf) => localUrl(textOf('PORT')),
    'Base of every link and redirect that Pluto makes; follows PORT unless set.',
  ),
  trustProxy: list('TRUST_PROXY', addressOrCidr, 'Reverse proxies whose X-Forwarded-For counts.'),
  corsOrigins: list('CORS_ORIGINS', origin, 'Origins that may call the JSON API from a browser.'),
  rateLimit: variable('RATE_LIMIT', boolean, 'true', 'false turns every request limit off (load tests).'),
  requestLimits: variableBy(
    'RATE_LIMITS',
    requestLimits,
    () => ({ ...defaultLimits }),
    'Limits other than the defaults, each name=tries/seconds, separated by commas; docs/operations.md lists them.',
  ),
  stopDelaySeconds: variable(
    'STOP_DELAY',
    integer(0, 300),
    '0',
    'Seconds to go on serving after SIGTERM while /health/ready says 503: as long as a load balancer takes to notice.',
  ),
  logLevel: variable(
    'LOG_LEVEL',
    oneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
    'info',
    'Least severe level that is logged.',
  ),
  logFormat: variableBy(
    'LOG_FORMAT',
    oneOf('pretty', 'json'),
    () => (process.stdout.isTTY ? 'pretty' : 'json'),
    'Shape of a log line; pretty on a terminal and json elsewhere unless set.',
  ),
};

const metrics = {
  metricsPort: optional(
    'METRICS_PORT',
    integer(0, 65_535),
    'Port of its own for Prometheus, at /metrics; metrics are off unless this or METRICS_TOKEN is set.',
  ),
  metricsHost: variable('METRICS_HOST', host, '127.0.0.1', 'Address that METRICS_PORT listens on.'),
  metricsToken: optional(
    'METRICS_TOKEN',
    bearerToken,
    'Bearer token that /metrics asks for; without METRICS_PORT it is on PORT.',
  ),
};

const storage = {
  dataDir: variable(
    'DATA_DIR',
    directory,
    './data',
    'Embedded database, avatars, mail outbox and generated secret.',
  ),
  database: variable(
    'DATABASE_URL',
    database,
    (textOf) => `sqlite:${textOf('DATA_DIR')}/pluto.db`,
    'MySQL 8, MariaDB 10.6+ and what speaks their protocol (?pool=20&tls=true and more: docs/operations.md), or an embedded database, in DATA_DIR unless set.',
  ),
  upkeepIntervalSeconds: variable(
    'UPKEEP_INTERVAL',
    integer(1, day),
    '3600',
    'Seconds between two removals of what has expired.',
  ),
  databaseMigrate: variable('DATABASE_MIGRATE', boolean, 'true', 'Run pending migrations at start.'),
  redisUrl: optional(
    'REDIS_URL',
    urlOf('redis:', 'rediss:'),
    'Request counters shared by several instances; without it, and while it is away, they are kept in the process.',
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
  mailFrom: variable('MAIL_FROM', mailbox, 'Pluto <no-reply@localhost>', 'Sender of every mail.'),
  adminMail: variable(
    'ADMIN_MAIL',
    mail,
    'admin@localhost',
    'First administrator, made once, when the database has none.',
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
    'true verifies accounts at once and sends no mail.',
  ),
};

const lifetimes = {
  accessTokenTtlSeconds: variable(
    'ACCESS_TOKEN_TTL',
    integer(1, year),
    '3600',
    'Seconds an access token lives.',
  ),
  refreshTokenTtlSeconds: variable(
    'REFRESH_TOKEN_TTL',
    integer(1, 10 * year),
    '2419200',
    'Seconds an unused refresh token lives.',
  ),
  refreshTokenGraceSeconds: variable(
    'REFRESH_TOKEN_GRACE',
    integer(0, day),
    '30',
    'Seconds in which any replay of a refresh token is answered like the first time.',
  ),
  verifyTokenTtlSeconds: variable(
    'VERIFY_TOKEN_TTL',
    integer(1, year),
    '86400',
    'Seconds a mail verification link lives.',
  ),
  resetTokenTtlSeconds: variable(
    'RESET_TOKEN_TTL',
    integer(1, year),
    '3600',
    'Seconds a password reset link lives.',
  ),
  pageSessionTtlSeconds: variable(
    'PAGE_SESSION_TTL',
    integer(60, year),
    '1209600',
    'Seconds a browser stays signed in to the hosted pages.',
  ),
  // RFC 6749 section 4.1.2 recommends ten minutes at most.
  authorizationCodeTtlSeconds: variable(
    'AUTHORIZATION_CODE_TTL',
    integer(1, 600),
    '600',
    'Seconds an authorization code lives.',
  ),
};

const audit = {
  auditRetentionDays: variable(
    'AUDIT_RETENTION_DAYS',
    integer(1, 3650),
    '180',
    'Days the audit trail is kept.',
  ),
};

const google = {
  clientIds: list('GOOGLE_CLIENT_IDS', word, 'Allowed audiences of Google ID tokens.'),
  issuer: variable('GOOGLE_ISSUER', httpUrl, 'https://accounts.google.com', 'Issuer of Google ID tokens.'),
  jwksUrl: variable(
    'GOOGLE_JWKS_URL',
    httpUrl,
    'https://www.googleapis.com/oauth2/v3/certs',
    'Keys that sign Google ID tokens.',
  ),
};

const apple = {
  teamId: optional('APPLE_TEAM_ID', word, 'Team of the Apple developer account.'),
  keyId: optional('APPLE_KEY_ID', word, 'Id of the private key.'),
  privateKey: optional('APPLE_PRIVATE_KEY', applePrivateKey, 'Content of the .p8 file.'),
  clientId: optional('APPLE_CLIENT_ID', word, 'Bundle id of the app, or id of the service.'),
  baseUrl: variable(
    'APPLE_BASE_URL',
    baseUrl,
    'https://appleid.apple.com',
    '/auth/token, /auth/keys and /auth/revoke lie under it.',
  ),
};

const wechat = {
  appId: optional('WECHAT_APP_ID', word, 'Mobile app.'),
  appSecret: optional('WECHAT_APP_SECRET', word, 'Secret of the mobile app.'),
  webAppId: optional('WECHAT_WEB_APP_ID', word, 'Website app.'),
  webAppSecret: optional('WECHAT_WEB_APP_SECRET', word, 'Secret of the website app.'),
  webRedirectUrls: list(
    'WECHAT_WEB_REDIRECT_URLS',
    redirectUrl,
    'URLs that a sign-in on the web may return to, each compared whole.',
  ),
  apiUrl: variable('WECHAT_API_URL', baseUrl, 'https://api.weixin.qq.com', 'Base of the WeChat API.'),
  openUrl: variable('WECHAT_OPEN_URL', baseUrl, 'https://open.weixin.qq.com', 'Base of the sign-in page.'),
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

/** Every variable where it stands in `Settings`. */
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

/** What the variables come to. */
export type SettingValues = ValuesOf<typeof settingTable>;

// The port that the system will choose is not known yet, and 0 is one that no browser opens.
function localUrl(port: string): string {
  return Number(port) === 0 ? 'http://localhost' : `http://localhost:${port}`;
}
