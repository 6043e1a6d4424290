import { type SettingValues } from './setting-table.js';

interface Contradiction {
  /** The variables compared, the one to report first; skipped if one of them is invalid by itself. */
  between: readonly [string, ...string[]];
  fault: string;
  holds: (settings: SettingValues) => boolean;
}

/** Combinations of valid values that are refused. */
export const contradictions: Contradiction[] = [
  {
    between: ['SECRET_KEY', 'DATABASE_URL'],
    fault: 'is required with a mysql: DATABASE_URL and must be at least 32 characters',
    holds: (settings) => settings.database.kind === 'mysql' && settings.secretKey === undefined,
  },
  {
    between: ['METRICS_PORT', 'PORT'],
    fault: 'must differ from PORT',
    holds: (settings) => settings.metricsPort === settings.port && settings.port !== 0,
  },
  {
    between: ['REFRESH_TOKEN_TTL', 'ACCESS_TOKEN_TTL'],
    fault: 'must be greater than ACCESS_TOKEN_TTL',
    holds: (settings) => settings.refreshTokenTtlSeconds <= settings.accessTokenTtlSeconds,
  },
  {
    between: ['REFRESH_TOKEN_TTL', 'REFRESH_TOKEN_GRACE'],
    fault: 'must be greater than REFRESH_TOKEN_GRACE',
    holds: (settings) => settings.refreshTokenTtlSeconds <= settings.refreshTokenGraceSeconds,
  },
  {
    between: ['SESSION_MAX_AGE', 'ACCESS_TOKEN_TTL'],
    fault: 'must not be less than ACCESS_TOKEN_TTL',
    holds: (settings) => settings.sessionMaxAgeSeconds < settings.accessTokenTtlSeconds,
  },
  {
    between: ['CORS_ORIGINS'],
    fault: 'must be * alone or a list of origins, not both',
    holds: (settings) => settings.corsOrigins.includes('*') && settings.corsOrigins.length > 1,
  },
];

/** Variables that must be set together or not at all. */
export const allOrNone: string[][] = [
  ['APPLE_TEAM_ID', 'APPLE_KEY_ID', 'APPLE_PRIVATE_KEY', 'APPLE_CLIENT_ID'],
  ['WECHAT_APP_ID', 'WECHAT_APP_SECRET'],
  ['WECHAT_WEB_APP_ID', 'WECHAT_WEB_APP_SECRET'],
];

/** Variables that must be set once another one is, with what to set. */
export const requiredWith: { name: string; other: string; hint: string }[] = [
  // Mail servers refuse a sender at localhost, and nobody could answer it.
  { name: 'MAIL_FROM', other: 'SMTP_URL', hint: 'the sender of every mail, such as no-reply@example.com' },
];
