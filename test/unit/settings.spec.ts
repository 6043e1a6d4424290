import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { packageDirectory } from '../../src/common/package-directory.js';
import { renderEnvExample } from '../../src/config/env-example.js';
import { loadSettings } from '../../src/config/load-settings.js';
import { defaultLimits } from '../../src/config/request-limits.js';
import { InvalidSettings, Settings, variableGroups } from '../../src/config/settings.js';
import { directory, file, key, useSettingsFolder } from '../support/settings-files.js';

useSettingsFolder();

const mysqlUrl = 'mysql://pluto:hunter2-mysql@db:3306/pluto';
const keyPair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pkcs8 = keyPair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString();
const sec1 = keyPair.privateKey.export({ type: 'sec1', format: 'pem' }).toString();

function faultsOf(env: NodeJS.ProcessEnv): string[] {
  try {
    Settings.load(env);
  } catch (error) {
    if (error instanceof InvalidSettings) return error.faults;
    throw error;
  }
  return [];
}

describe('Settings with nothing set', () => {
  it('have the documented defaults', () => {
    expect({ ...Settings.load({}) }).toEqual({
      host: '127.0.0.1',
      port: 8010,
      publicUrl: 'http://localhost:8010',
      trustProxy: [],
      corsOrigins: [],
      legacyAdmin: false,
      trustedClients: [],
      rateLimit: true,
      requestLimits: defaultLimits,
      metricsPort: undefined,
      metricsHost: '127.0.0.1',
      metricsToken: undefined,
      logLevel: 'info',
      logFormat: process.stdout.isTTY ? 'pretty' : 'json',
      dataDir: resolve('data'),
      database: { kind: 'sqlite', path: resolve('data/pluto.db') },
      databaseMigrate: true,
      redisUrl: undefined,
      secretKey: undefined,
      smtpUrl: undefined,
      mailFrom: { name: 'Pluto', address: 'no-reply@localhost' },
      adminMail: 'admin@localhost',
      adminPassword: undefined,
      skipRegisterVerifyMail: false,
      stopDelaySeconds: 0,
      upkeepIntervalSeconds: 3600,
      accessTokenTtlSeconds: 3600,
      refreshTokenTtlSeconds: 2_419_200,
      refreshTokenGraceSeconds: 30,
      sessionMaxAgeSeconds: 31_536_000,
      verifyTokenTtlSeconds: 86_400,
      resetTokenTtlSeconds: 3600,
      pageSessionTtlSeconds: 1_209_600,
      authorizationCodeTtlSeconds: 600,
      auditRetentionDays: 180,
      auditAddressRetentionSeconds: 2_592_000,
      google: {
        clientIds: [],
        issuer: 'https://accounts.google.com',
        jwksUrl: 'https://www.googleapis.com/oauth2/v3/certs',
      },
      apple: {
        teamId: undefined,
        keyId: undefined,
        privateKey: undefined,
        clientId: undefined,
        baseUrl: 'https://appleid.apple.com',
      },
      wechat: {
        appId: undefined,
        appSecret: undefined,
        webAppId: undefined,
        webAppSecret: undefined,
        webRedirectUrls: [],
        apiUrl: 'https://api.weixin.qq.com',
        openUrl: 'https://open.weixin.qq.com',
      },
    });
  });

  it('are an instance of the class that is injected', () => {
    expect(Settings.load({})).toBeInstanceOf(Settings);
  });

  it('log in colour on a terminal and in JSON elsewhere', () => {
    const terminal = process.stdout.isTTY;
    try {
      process.stdout.isTTY = true;
      expect(Settings.load({}).logFormat).toBe('pretty');
      process.stdout.isTTY = false;
      expect(Settings.load({}).logFormat).toBe('json');
    } finally {
      process.stdout.isTTY = terminal;
    }
  });

  it('are the same with every variable empty', () => {
    const names = Object.values(variableGroups).flatMap((group) =>
      Object.values(group).map(({ name }) => name),
    );
    const empty = Object.fromEntries(
      names.flatMap((name) => [name, `${name}_FILE`]).map((name) => [name, '']),
    );
    expect(Settings.load(empty)).toEqual(Settings.load({}));
  });
});

describe('Settings from the environment', () => {
  it('follow PORT with the public URL and DATA_DIR with the database', () => {
    const settings = Settings.load({ PORT: '9000', DATA_DIR: '/var/lib/pluto' });
    expect(settings.publicUrl).toBe('http://localhost:9000');
    expect(settings.database).toEqual({ kind: 'sqlite', path: '/var/lib/pluto/pluto.db' });
  });

  it('leave port 0 to the system, and out of the public URL', () => {
    expect(Settings.load({ PORT: '0' })).toMatchObject({ port: 0, publicUrl: 'http://localhost' });
    const settings = Settings.load({ PORT: '0', PUBLIC_URL: 'https://id.example.com' });
    expect(settings.publicUrl).toBe('https://id.example.com');
  });

  it('end the public URL without a slash', () => {
    expect(Settings.load({ PUBLIC_URL: 'https://id.example.com/pluto/' }).publicUrl).toBe(
      'https://id.example.com/pluto',
    );
  });

  it('resolve a relative database path against the working directory', () => {
    expect(Settings.load({ DATABASE_URL: 'sqlite:other.db' }).database).toEqual({
      kind: 'sqlite',
      path: resolve('other.db'),
    });
  });

  it('keep a MySQL URL as it is', () => {
    const { database } = Settings.load({ DATABASE_URL: mysqlUrl, SECRET_KEY: key });
    expect(database).toEqual({ kind: 'mysql', url: mysqlUrl });
  });

  it('split lists at commas', () => {
    const settings = Settings.load({
      TRUST_PROXY: '10.0.0.0/8, ::1,fd00::/8',
      RATE_LIMITS: 'login-account=5/900, mail-recipient=3/86400',
      CORS_ORIGINS: 'https://a.example.com,http://localhost:3000',
      GOOGLE_CLIENT_IDS: 'web.apps, ios.apps',
    });
    expect(settings.requestLimits).toEqual({
      ...defaultLimits,
      'login-account': { tries: 5, seconds: 900 },
      'mail-recipient': { tries: 3, seconds: 86_400 },
    });
    expect(settings.trustProxy).toEqual(['10.0.0.0/8', '::1', 'fd00::/8']);
    expect(settings.corsOrigins).toEqual(['https://a.example.com', 'http://localhost:3000']);
    expect(settings.google.clientIds).toEqual(['web.apps', 'ios.apps']);
  });

  it.each([
    ['a@b.example', { name: '', address: 'a@b.example' }],
    ['<a@b.example>', { name: '', address: 'a@b.example' }],
    ['"Pluto, Inc." <a@b.example>', { name: 'Pluto, Inc.', address: 'a@b.example' }],
  ])('take %s as a sender', (text, mailFrom) => {
    expect(Settings.load({ MAIL_FROM: text }).mailFrom).toEqual(mailFrom);
  });

  it('take a private key of Apple in one line with \\n', () => {
    const apple = { APPLE_TEAM_ID: 'TEAM', APPLE_KEY_ID: 'KEY', APPLE_CLIENT_ID: 'app' };
    const line = pkcs8.replaceAll('\n', '\\n');
    expect(Settings.load({ ...apple, APPLE_PRIVATE_KEY: line }).apple.privateKey).toBe(pkcs8);
  });

  it('take the four settings of Apple together', () => {
    const { apple } = Settings.load({
      APPLE_TEAM_ID: 'TEAM',
      APPLE_KEY_ID: 'KEY',
      APPLE_PRIVATE_KEY: pkcs8,
      APPLE_CLIENT_ID: 'com.example.app',
    });
    expect(apple).toMatchObject({
      teamId: 'TEAM',
      keyId: 'KEY',
      privateKey: pkcs8,
      clientId: 'com.example.app',
    });
  });
});

describe('A refused value', () => {
  it.each([
    ['HOST', 'not a host'],
    ['PORT', '-1'],
    ['PORT', '65536'],
    ['PORT', '80.5'],
    ['PORT', '1e3'],
    ['PUBLIC_URL', 'localhost:8010'],
    ['PUBLIC_URL', 'ftp://example.com'],
    ['PUBLIC_URL', 'https://example.com/?a=1'],
    ['PUBLIC_URL', 'https://example.com/#'],
    ['PUBLIC_URL', 'https://example.com/a;b'],
    ['PUBLIC_URL', 'https://example.com/a b'],
    ['PUBLIC_URL', 'https://example.com/%E7%8E%8B'],
    ['PUBLIC_URL', 'https://example.com//pluto'],
    ['PUBLIC_URL', 'https://user:pass@example.com'],
    ['DATABASE_URL', 'postgres://db/pluto'],
    ['DATABASE_URL', 'sqlite:'],
    ['DATABASE_URL', 'sqlite://pluto.db'],
    ['DATABASE_URL', 'mysql://db:3306'],
    ['DATABASE_MIGRATE', 'yes'],
    ['RATE_LIMIT', 'FALSE'],
    ['RATE_LIMIT', 'constructor'],
    ['REDIS_URL', 'http://redis'],
    ['SECRET_KEY', 'a key '.repeat(5)],
    ['SECRET_KEY', 'k'.repeat(64)],
    ['METRICS_PORT', '65536'],
    ['METRICS_HOST', 'not a host'],
    ['METRICS_TOKEN', 't'.repeat(15)],
    ['METRICS_TOKEN', 'a token with spaces in it'],
    ['SMTP_URL', 'https://mail.example.com'],
    ['MAIL_FROM', 'Pluto'],
    ['MAIL_FROM', 'Pluto <a@b>\r\nBcc: <c@d>'],
    ['ADMIN_MAIL', 'admin'],
    ['ADMIN_PASSWORD', '7 chars'],
    ['ACCESS_TOKEN_TTL', '-1'],
    ['AUTHORIZATION_CODE_TTL', '601'],
    ['RATE_LIMITS', 'login-address'],
    ['RATE_LIMITS', 'login-address=0/60'],
    ['RATE_LIMITS', 'login-address=10/0'],
    ['RATE_LIMITS', 'login-address=10/86401'],
    ['RATE_LIMITS', 'no-such-limit=10/60'],
    ['RATE_LIMITS', 'constructor=10/60'],
    ['RATE_LIMITS', 'login-address=10/60,'],
    ['AUDIT_RETENTION_DAYS', '0'],
    ['AUDIT_RETENTION_DAYS', '3651'],
    ['AUDIT_ADDRESS_RETENTION', '-1'],
    ['AUDIT_ADDRESS_RETENTION', '30d'],
    ['TRUST_PROXY', 'loopback'],
    ['TRUST_PROXY', '10.0.0.0/33'],
    ['TRUST_PROXY', '10.0.0.0/8/8'],
    ['TRUST_PROXY', '10.0.0.1,'],
    ['CORS_ORIGINS', 'https://example.com/path'],
    ['CORS_ORIGINS', '*,https://example.com'],
    ['CORS_ORIGINS', 'https://*.example.com'],
    ['CORS_ORIGINS', 'https://example.com,http://*:5173'],
    ['CORS_ORIGINS', 'capacitor://*'],
    ['CORS_ORIGINS', 'capacitor://localhost/'],
    ['CORS_ORIGINS', 'capacitor:localhost'],
    ['CORS_ORIGINS', 'https://user@example.com'],
    ['CORS_ORIGINS', 'https://example.com\\'],
    ['CORS_ORIGINS', 'file:///index.html'],
    ['CORS_ORIGINS', 'file://host'],
    ['CORS_ORIGINS', 'wss://example.com'],
    ['CORS_ORIGINS', 'null'],
    ['LOG_LEVEL', 'verbose'],
    ['LOG_FORMAT', 'xml'],
    ['GOOGLE_JWKS_URL', 'file:///etc/passwd'],
    ['WECHAT_WEB_REDIRECT_URLS', 'https://example.com/#x'],
    ['WECHAT_WEB_REDIRECT_URLS', 'https://*.example.com/in'],
  ])('%s=%s is one fault that names the variable', (name, text) => {
    expect(faultsOf({ [name]: text })).toEqual([expect.stringMatching(new RegExp(`^${name} must be .+`))]);
  });

  it('includes a password of more than 1024 bytes', () => {
    expect(faultsOf({ ADMIN_PASSWORD: 'é'.repeat(512) })).toEqual([]);
    expect(faultsOf({ ADMIN_PASSWORD: 'é'.repeat(513) })).toHaveLength(1);
  });

  it('is reported together with every other fault', () => {
    const faults = faultsOf({
      PORT: 'x',
      RATE_LIMIT: 'maybe',
      LOG_LEVEL: 'loud',
      WECHAT_APP_ID: 'wx1',
      ACCESS_TOKEN_TTL: '60',
      REFRESH_TOKEN_TTL: '60',
      ADMIN_PASSWORD_FILE: join(directory, 'missing'),
    });
    expect(faults).toEqual([
      'PORT must be a whole number from 0 to 65535',
      'RATE_LIMIT must be true or false',
      'LOG_LEVEL must be fatal, error, warn, info, debug, trace or silent',
      'ADMIN_PASSWORD cannot be read from the file in ADMIN_PASSWORD_FILE (ENOENT)',
      'REFRESH_TOKEN_TTL must be greater than ACCESS_TOKEN_TTL',
      'WECHAT_APP_SECRET is required with WECHAT_APP_ID',
    ]);
  });

  it('is not reported for variables derived from it', () => {
    expect(faultsOf({ DATABASE_URL: mysqlUrl, SECRET_KEY: 'short' })).toEqual([
      'SECRET_KEY must be at least 32 characters, not all the same',
    ]);
    expect(faultsOf({ REFRESH_TOKEN_TTL: '60', ACCESS_TOKEN_TTL: 'x' })).toHaveLength(1);
  });

  it('is never shown', () => {
    const secrets = {
      SECRET_KEY: 'hunter2-key',
      ADMIN_PASSWORD: 'hunter2',
      DATABASE_URL: 'mysqlx://pluto:hunter2@db/pluto',
      REDIS_URL: 'hunter2',
      SMTP_URL: 'http://pluto:hunter2@mail',
      APPLE_PRIVATE_KEY: 'hunter2',
      WECHAT_APP_SECRET: 'hunter2 hunter2',
      WECHAT_WEB_APP_SECRET_FILE: '/hunter2',
      PUBLIC_URL: 'https://pluto:hunter2@example.com',
    };
    const faults = faultsOf(secrets);
    expect(faults.length).toBeGreaterThanOrEqual(Object.keys(secrets).length);
    expect(faults.join('\n')).not.toContain('hunter2');
    expect(faultsOf({ DATABASE_URL: mysqlUrl }).join('\n')).not.toContain('hunter2');
  });
});

describe('CORS_ORIGINS', () => {
  it('takes the origins that browsers send, those of apps among them', () => {
    const origins = [
      'HTTPS://App.Example.com:443',
      'http://[::1]:5173',
      'https://bücher.example',
      'capacitor://localhost',
      'ionic://localhost',
      'Tauri://LocalHost',
      'http://tauri.localhost',
      'app.example+x://a-b_c.d:8080',
      'chrome-extension://abcdefghijklmnop',
    ];
    expect(Settings.load({ CORS_ORIGINS: origins.join(',') }).corsOrigins).toEqual([
      'https://app.example.com',
      'http://[::1]:5173',
      'https://xn--bcher-kva.example',
      'capacitor://localhost',
      'ionic://localhost',
      'tauri://localhost',
      'http://tauri.localhost',
      'app.example+x://a-b_c.d:8080',
      'chrome-extension://abcdefghijklmnop',
    ]);
  });
});

describe('MAIL_FROM', () => {
  it('must be set together with SMTP_URL', () => {
    expect(faultsOf({ SMTP_URL: 'smtps://mail.example.com' })).toEqual([
      'MAIL_FROM is required with SMTP_URL: the sender of every mail, such as no-reply@example.com',
    ]);
    expect(faultsOf({ SMTP_URL: 'smtps://mail.example.com', MAIL_FROM: '' })).toHaveLength(1);
    expect(Settings.load({ SMTP_URL: 'smtps://mail.example.com', MAIL_FROM: 'a@b.example' })).toBeDefined();
  });
});

describe('SMTP_URL', () => {
  const smtpOf = (url: string) => Settings.load({ SMTP_URL: url, MAIL_FROM: 'a@example.com' }).smtpUrl;

  it.each([
    ['smtp://mail.example.com'],
    ['smtp://192.0.2.7:25'],
    ['smtp://pluto:secret@mail.example.com:587'],
    ['smtp://pluto:secret@localhost'],
    ['smtp://pluto@127.0.0.1:1025'],
    ['smtp://127.0.0.1.example.com'],
    ['smtp://127.1'],
    ['smtp://localhost?service=gmail'],
    ['smtps://mail.example.com?name=pluto.example.com'],
    ['smtp://mail.example.com?requireTLS=true'],
  ])('%s requires TLS', (url) => {
    expect(smtpOf(url)).toMatchObject({ url, requireTls: true });
  });

  it.each([
    ['smtp://localhost:1025', 'smtp://localhost:1025'],
    ['smtp://127.0.0.1', 'smtp://127.0.0.1'],
    ['smtp://[::1]:25', 'smtp://[::1]:25'],
    ['smtp://mailpit:1025?tls=optional', 'smtp://mailpit:1025'],
    ['smtp://pluto:secret@mail?tls=optional&ignoreTLS=true', 'smtp://pluto:secret@mail?ignoreTLS=true'],
  ])('%s does not', (text, url) => {
    expect(smtpOf(text)).toMatchObject({ url, requireTls: false });
  });

  it('tells which texts are secret, and whether it has a name for the greeting', () => {
    expect(smtpOf('smtps://ann:p%40ss@mail?name=a.example')).toMatchObject({
      isNamed: true,
      secrets: expect.arrayContaining(['p@ss', 'p%40ss', btoa('p@ss'), btoa('\0ann\0p@ss')]),
    });
    expect(smtpOf('smtps://mail')).toMatchObject({ isNamed: false, secrets: [] });
    expect(faultsOf({ SMTP_URL: 'smtps://ann:hunter2%@mail', MAIL_FROM: 'a@example.com' })).toEqual([
      'SMTP_URL has a user name or password in which a % is not written as %25',
    ]);
  });

  it.each([
    ['smtp://pluto:hunter2@mail?ignoreTLS=true'],
    ['smtp://pluto:hunter2@mail?opportunisticTLS=true'],
    ['smtp://pluto:hunter2@mail?requireTLS=false'],
    ['smtp://pluto:hunter2@mail?requireTLS=true&requireTLS=false'],
    ['smtp://pluto:hunter2@mail?tls=false'],
    ['smtp://pluto:hunter2@mail?tls=optional&tls=hunter2'],
    ['smtps://pluto:hunter2@mail?tls=optional'],
  ])('%s is refused, without the password', (url) => {
    const [fault = '', ...others] = faultsOf({ SMTP_URL: url, MAIL_FROM: 'a@example.com' });
    expect(others).toEqual([]);
    expect(fault).toMatch(/^SMTP_URL has .*(tls|TLS)/);
    expect(fault).not.toContain('hunter2');
  });
});

describe('Settings that contradict each other', () => {
  it('require SECRET_KEY with mysql:', () => {
    expect(faultsOf({ DATABASE_URL: mysqlUrl })).toEqual([expect.stringMatching(/^SECRET_KEY is required/)]);
  });

  it('require different ports for metrics and API', () => {
    expect(faultsOf({ METRICS_PORT: '8010' })).toEqual(['METRICS_PORT must differ from PORT']);
    expect(faultsOf({ METRICS_PORT: '0', PORT: '0' })).toEqual([]);
  });

  it('let a refresh token outlive its grace', () => {
    const env = { ACCESS_TOKEN_TTL: '5', REFRESH_TOKEN_TTL: '30' };
    expect(faultsOf(env)).toEqual(['REFRESH_TOKEN_TTL must be greater than REFRESH_TOKEN_GRACE']);
    expect(faultsOf({ ...env, REFRESH_TOKEN_GRACE: '29' })).toEqual([]);
  });

  it('require all four of Apple', () => {
    expect(faultsOf({ APPLE_KEY_ID: 'KEY', APPLE_PRIVATE_KEY: pkcs8 })).toEqual([
      'APPLE_TEAM_ID is required with APPLE_KEY_ID',
      'APPLE_CLIENT_ID is required with APPLE_KEY_ID',
    ]);
  });

  it.each([
    ['a SEC1 key', sec1],
    ['a key of another curve', p384],
    ['broken base64', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n'],
  ])('refuse %s as the private key of Apple', (_, pem) => {
    const env = {
      APPLE_TEAM_ID: 'TEAM',
      APPLE_KEY_ID: 'KEY',
      APPLE_CLIENT_ID: 'app',
      APPLE_PRIVATE_KEY: pem,
    };
    expect(faultsOf(env)).toEqual([
      'APPLE_PRIVATE_KEY must be the PKCS#8 PEM of a P-256 private key, as the .p8 file has it',
    ]);
  });

  it.each(['WECHAT', 'WECHAT_WEB'])('require id and secret of %s together', (prefix) => {
    expect(faultsOf({ [`${prefix}_APP_SECRET`]: 's' })).toEqual([
      `${prefix}_APP_ID is required with ${prefix}_APP_SECRET`,
    ]);
  });
});

describe('NAME_FILE', () => {
  it('gives the content without its last newline', () => {
    const settings = Settings.load({
      SECRET_KEY_FILE: file('key', `${key}\n`),
      ADMIN_PASSWORD_FILE: file('password', 'correct horse\n\n'),
    });
    expect(settings.secretKey).toBe(key);
    expect(settings.adminPassword).toBe('correct horse\n');
  });

  it('works for variables that are not secrets', () => {
    expect(Settings.load({ PORT_FILE: file('port', '9000') }).publicUrl).toBe('http://localhost:9000');
  });

  it('is refused together with NAME', () => {
    expect(faultsOf({ SECRET_KEY: key, SECRET_KEY_FILE: file('key', key) })).toEqual([
      'SECRET_KEY and SECRET_KEY_FILE are both set; set only one of them',
    ]);
  });

  it('is refused when the file is empty, so that no default replaces a secret', () => {
    expect(faultsOf({ ADMIN_PASSWORD_FILE: file('password', '\n') })).toEqual([
      'ADMIN_PASSWORD cannot be read: the file in ADMIN_PASSWORD_FILE is empty',
    ]);
  });
});

describe('loadSettings', () => {
  const environment = process.env;
  const workingDirectory = process.cwd();

  beforeEach(() => {
    process.env = {};
    process.chdir(directory);
  });

  afterEach(() => {
    process.env = environment;
    process.chdir(workingDirectory);
  });

  it('reads .env behind the environment of the process', () => {
    file('.env', 'PORT=9000\nHOST=0.0.0.0\n');
    process.env = { PORT: '9001' };
    expect(loadSettings()).toMatchObject({ host: '0.0.0.0', port: 9001 });
  });

  it('works without .env', () => {
    expect(loadSettings().port).toBe(8010);
  });

  it('refuses a .env that it cannot read', () => {
    mkdirSync(join(directory, '.env'));
    expect(loadSettings).toThrow(new InvalidSettings(['.env cannot be read (EISDIR)']));
  });
});

describe('.env.example', () => {
  const example = readFileSync('.env.example', 'utf8');

  it('matches the settings', () => {
    expect(example).toBe(renderEnvExample());
  });

  it('contains the defaults when uncommented', () => {
    const uncommented = example.replace(/^#(?=[A-Z])/gm, '');
    expect(Settings.load(parseEnv(uncommented))).toEqual(Settings.load({}));
  });
});

it('docs/operations.md lists every request limit with its default', () => {
  const rows =
    readFileSync(join(packageDirectory, 'docs/operations.md'), 'utf8').match(/^\| `[a-z-]+` +\| .*$/gm) ?? [];
  const told = Object.fromEntries(
    rows.flatMap((row) => {
      const [, name = '', tries, seconds] = /^\| `([a-z-]+)` +\| +(\d+) in (\d+) s/.exec(row) ?? [];
      return name === '' ? [] : [[name, { tries: Number(tries), seconds: Number(seconds) }]];
    }),
  );
  expect(told).toEqual(defaultLimits);
});
