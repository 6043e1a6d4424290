import { editDistance, misspeltSettings } from '../../src/config/misspelt-settings.js';
import { variableGroups } from '../../src/config/settings.js';

const suggestions = (env: Record<string, string>) =>
  Object.fromEntries(
    misspeltSettings(env).map((line) =>
      /^(\S+) is not a setting .* did you mean (\S+)\?$/.exec(line)!.slice(1),
    ),
  ) as Record<string, string>;

const names = Object.values(variableGroups).flatMap((group) => Object.values(group).map(({ name }) => name));

describe('a misspelt setting', () => {
  it.each([
    ['SMTPURL', 'SMTP_URL'],
    ['GOOGLE_CLIENT_ID', 'GOOGLE_CLIENT_IDS'],
    ['SMTP_HOST', 'SMTP_URL'],
    ['SMTP_USER_FILE', 'SMTP_URL'],
    ['smtp_url', 'SMTP_URL'],
    ['SMTP-URL', 'SMTP_URL'],
    ['PUBLIC_ULR', 'PUBLIC_URL'],
    ['DATABSE_URL', 'DATABASE_URL'],
    ['DATABASE_URI', 'DATABASE_URL'],
    ['REDIS_URI', 'REDIS_URL'],
    ['TRUSTED_PROXY', 'TRUST_PROXY'],
    ['CORS_ORIGIN', 'CORS_ORIGINS'],
    ['CORS_ALLOWED', 'CORS_ORIGINS'],
    ['ADMIN_EMAIL', 'ADMIN_MAIL'],
    ['MAILFROM', 'MAIL_FROM'],
    ['SECRETKEY', 'SECRET_KEY'],
    ['SECRET_KEYS_FILE', 'SECRET_KEY'],
    ['WECHAT_APPID', 'WECHAT_APP_ID'],
    ['APPLE_PRIVATE_KEYFILE', 'APPLE_PRIVATE_KEY'],
    ['PLUTO_PORT', 'PORT'],
    ['PLUTO_PUBLIC_URL', 'PUBLIC_URL'],
    ['LOGLEVEL', 'LOG_LEVEL'],
  ])('%s is answered with %s', (name, meant) => {
    expect(suggestions({ [name]: 'hunter2' })).toEqual({ [name]: meant });
    expect(misspeltSettings({ [name]: 'hunter2' }).join()).not.toContain('hunter2');
  });

  it.each(names)('%s, and its file, is none', (name) => {
    expect(misspeltSettings({ [name]: 'x', [`${name}_FILE`]: 'x' })).toEqual([]);
  });

  it('is reported for each letter that is missing in the longer names', () => {
    for (const name of names.filter((one) => one.replaceAll('_', '').length > 8))
      for (let at = 0; at < name.length; at++) {
        const misspelt = name.slice(0, at) + name.slice(at + 1);
        if (!names.includes(misspelt))
          expect(Object.keys(suggestions({ [misspelt]: 'x' }))).toEqual([misspelt]);
      }
  });

  it('is none of the variables of systems, shells, Node, npm, Docker, Kubernetes and clouds', () => {
    const ordinary = `
      HOME PATH PWD OLDPWD USER LOGNAME SHELL TERM LANG LC_ALL TZ MAIL MAILTO MAILCHECK HOSTNAME HOSTTYPE OSTYPE MACHTYPE
      SHLVL EDITOR PAGER DISPLAY XDG_DATA_DIRS XDG_DATA_HOME XDG_RUNTIME_DIR TMPDIR LS_COLORS COLORTERM SSH_CONNECTION
      SSH_AUTH_SOCK DBUS_SESSION_BUS_ADDRESS INVOCATION_ID JOURNAL_STREAM STATE_DIRECTORY LISTEN_FDS NOTIFY_SOCKET
      MAINPID SYSTEMD_EXEC_PID NODE_ENV NODE_OPTIONS NODE_EXTRA_CA_CERTS NODE_PATH NODE_VERSION YARN_VERSION INIT_CWD
      npm_config_cache npm_package_name npm_lifecycle_event npm_execpath HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy
      UV_THREADPOOL_SIZE SSL_CERT_FILE SSL_CERT_DIR CI DEBUG FORCE_COLOR NO_COLOR GITHUB_ACTIONS GITHUB_TOKEN
      KUBERNETES_SERVICE_HOST KUBERNETES_PORT_443_TCP REDIS_SERVICE_HOST REDIS_PORT REDIS_PORT_6379_TCP_ADDR
      REDIS_PASSWORD DATABASE_PASSWORD MARIADB_PASSWORD MYSQL_PWD MYSQL_PASSWORD PLUTO_SERVICE_HOST PLUTO_PORT_8010_TCP
      GOOGLE_APPLICATION_CREDENTIALS GOOGLE_CLOUD_PROJECT GOOGLE_API_KEY AWS_REGION AWS_SECRET_ACCESS_KEY AZURE_TENANT_ID
      PORT_RANGE API_URL BASE_URL DATA COMPOSE_PROJECT_NAME DOCKER_HOST container SECRET_KEY_BASE VAULT_TOKEN TOKEN
      OTEL_EXPORTER_OTLP_ENDPOINT SENTRY_DSN DYNO WEB_CONCURRENCY RENDER FLY_APP_NAME`;
    const env = Object.fromEntries(
      ordinary
        .trim()
        .split(/\s+/)
        .map((name) => [name, 'a value']),
    );
    expect(
      misspeltSettings({ ...env, PLUTO_PORT: 'tcp://10.96.0.7:8010', SMTP_SERVICE_HOST: '10.96.0.8' }),
    ).toEqual([]);
  });

  it('is none without a value', () => {
    expect(misspeltSettings({ SMTPURL: '', GOOGLE_CLIENT_ID: undefined })).toEqual([]);
  });
});

it.each([
  ['PORT', 'PORT', 0],
  ['URL', 'ULR', 1],
  ['SMTP', 'SMPTP', 1],
  ['', 'ABC', 3],
  ['KITTEN', 'SITTING', 3],
])('the distance from %j to %j is %d', (one, other, distance) => {
  expect(editDistance(one, other)).toBe(distance);
  expect(editDistance(other, one)).toBe(distance);
});
