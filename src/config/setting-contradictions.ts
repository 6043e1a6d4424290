import { type SettingValues } from './setting-table.js';

interface Contradiction {
  /** The variables looked at, the one to blame first; a fault in one of them makes the question moot. */
  between: readonly [string, ...string[]];
  fault: string;
  holds: (settings: SettingValues) => boolean;
}

/** What cannot be together. */
export const contradictions: Contradiction[] = [
  {
    between: ['SECRET_KEY', 'DATABASE_URL'],
    fault: 'is required with a mysql: DATABASE_URL and takes 32 characters or more',
    holds: (settings) => settings.database.kind === 'mysql' && settings.secretKey === undefined,
  },
  {
    between: ['METRICS_PORT', 'PORT'],
    fault: 'takes another port than PORT',
    holds: (settings) => settings.metricsPort === settings.port && settings.port !== 0,
  },
  {
    between: ['REFRESH_TOKEN_TTL', 'ACCESS_TOKEN_TTL'],
    fault: 'takes more seconds than ACCESS_TOKEN_TTL',
    holds: (settings) => settings.refreshTokenTtlSeconds <= settings.accessTokenTtlSeconds,
  },
  {
    between: ['REFRESH_TOKEN_TTL', 'REFRESH_TOKEN_GRACE'],
    fault: 'takes more seconds than REFRESH_TOKEN_GRACE',
    holds: (settings) => settings.refreshTokenTtlSeconds <= settings.refreshTokenGraceSeconds,
  },
  {
    between: ['CORS_ORIGINS'],
    fault: 'takes * alone or a list of origins, not both',
    holds: (settings) => settings.corsOrigins.includes('*') && settings.corsOrigins.length > 1,
  },
];

/** Variables that are given together or not at all. */
export const allOrNone: string[][] = [
  ['APPLE_TEAM_ID', 'APPLE_KEY_ID', 'APPLE_PRIVATE_KEY', 'APPLE_CLIENT_ID'],
  ['WECHAT_APP_ID', 'WECHAT_APP_SECRET'],
  ['WECHAT_WEB_APP_ID', 'WECHAT_WEB_APP_SECRET'],
];
