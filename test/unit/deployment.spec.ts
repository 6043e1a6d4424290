import { existsSync, readFileSync } from 'node:fs';
import { BlockList } from 'node:net';
import { join } from 'node:path';
import { parse } from 'yaml';
import { packageDirectory } from '../../src/common/package-directory.js';
import { Settings, variableGroups } from '../../src/config/settings.js';

interface Service {
  image?: string;
  build?: string;
  environment?: Record<string, string | number>;
  env_file?: { path: string; required?: boolean }[];
  ports?: string[];
  volumes?: string[];
  networks: string[] | Record<string, { ipv4_address: string }>;
  depends_on?: string[] | Record<string, { condition: string }>;
  healthcheck?: { test: string[] };
  command?: string[];
  restart?: string;
  read_only?: boolean;
}

interface Compose {
  services: Record<string, Service>;
  networks: Record<string, { ipam?: { config: { subnet: string; ip_range: string }[] } } | null>;
  volumes: Record<string, unknown>;
}

const read = (path: string): string => readFileSync(join(packageDirectory, path), 'utf8');
const composeText = read('docker-compose.yml');
const compose = parse(composeText) as Compose;
const dockerfile = read('Dockerfile').replace(/\\\n/g, ' ');
const haproxy = read('deploy/haproxy.cfg');

const services = Object.entries(compose.services);
const instances = services.filter(([name]) => name.startsWith('pluto-'));
const settingNames = Object.values(variableGroups).flatMap((group) =>
  Object.values(group).map(({ name }) => name),
);
const namesOf = (list: string[] | object | undefined): string[] =>
  Array.isArray(list) ? list : Object.keys(list ?? {});

/** Variables of the compose file that must be given. */
const REQUIRED = {
  SECRET_KEY: 'secret_key-'.padEnd(40, 'x'),
  DATABASE_PASSWORD: 'database_password',
  REDIS_PASSWORD: 'redis_password',
};
/** What holds inside the container, whatever .env says to a server outside. */
const OF_THE_IMAGE = ['HOST', 'PORT', 'DATA_DIR'];

/** Compose's `${NAME:-default}` and `${NAME:?message}`, also nested; an empty value counts as unset. */
function interpolate(text: string, given: Record<string, string>): string {
  const innermost = /\$\{(\w+):([-?])([^${}]*)\}/;
  const replaced = text.replace(innermost, (_, name: string, kind: string, rest: string) => {
    if (kind === '?' && !given[name]) throw new Error(`${name}: ${rest}`);
    return given[name] || rest;
  });
  return replaced === text ? text : interpolate(replaced, given);
}

/** The environment of the container, with a .env file of these values. */
function environmentOf(
  { environment = {}, env_file = [] }: Service,
  dotEnv: Record<string, string> = {},
): Record<string, string> {
  const given = { ...REQUIRED, ...dotEnv };
  const own = Object.entries(environment).map(([name, value]) => [name, interpolate(String(value), given)]);
  const passed = env_file.some(({ path }) => path === '.env') ? given : {};
  return { ...passed, ...(Object.fromEntries(own) as Record<string, string>) };
}

function isWithin(address: string, subnet: string): boolean {
  const [network = '', prefix] = subnet.split('/');
  const list = new BlockList();
  list.addSubnet(network, Number(prefix));
  return list.check(address);
}

describe('docker-compose.yml', () => {
  it('has two instances behind a proxy, and what they need', () => {
    expect(Object.keys(compose.services).sort()).toEqual([
      'mailpit',
      'mariadb',
      'pluto-1',
      'pluto-2',
      'proxy',
      'redis',
    ]);
    expect(instances[0]![1]).toEqual(instances[1]![1]);
  });

  it.each(instances)('gives %s settings that there are, and that make it start', (_, service) => {
    for (const name of Object.keys(service.environment ?? {})) expect(settingNames).toContain(name);
    const settings = Settings.load(environmentOf(service));
    expect(settings.database).toMatchObject({
      kind: 'mysql',
      url: expect.stringContaining('@mariadb:3306/'),
    });
    expect(settings.redisUrl).toMatch(/@redis:6379$/);
    expect(settings.smtpUrl).toMatchObject({ url: 'smtp://mailpit:1025', requireTls: false });
    expect(settings.metricsHost).toBe('0.0.0.0');
  });

  it.each(settingNames.filter((name) => !OF_THE_IMAGE.includes(name)))('passes %s of .env on', (name) => {
    for (const [, service] of instances)
      expect(environmentOf(service, { [name]: 'a value of .env' })[name]).toBe('a value of .env');
  });

  it.each(['APPLE_PRIVATE_KEY_FILE', 'ADMIN_PASSWORD_FILE'])('passes the secret file %s on', (name) => {
    for (const [, service] of instances)
      expect(environmentOf(service, { [name]: '/run/secrets/x' })[name]).toBe('/run/secrets/x');
  });

  it('keeps what the image and the proxy rely on, whatever .env says', () => {
    const dotEnv = { HOST: '127.0.0.1', PORT: '9000', DATA_DIR: './data' };
    for (const [, service] of instances)
      expect(environmentOf(service, dotEnv)).toMatchObject({
        HOST: '0.0.0.0',
        PORT: /^EXPOSE (\d+)$/m.exec(dockerfile)![1],
        DATA_DIR: /DATA_DIR=(\S+)/.exec(dockerfile)![1],
      });
  });

  it('trusts only the proxy, at a reserved address', () => {
    const { networks } = compose.services.proxy!;
    const address = Array.isArray(networks) ? '' : (networks.front?.ipv4_address ?? '');
    const [{ subnet, ip_range }] = compose.networks.front!.ipam!.config as [
      { subnet: string; ip_range: string },
    ];
    expect(environmentOf(instances[0]![1]).TRUST_PROXY).toBe(address);
    expect(isWithin(address, subnet)).toBe(true);
    expect(isWithin(address, ip_range)).toBe(false);
    expect(isWithin(ip_range.split('/')[0]!, subnet)).toBe(true);
  });

  it('requires every secret from the environment, and contains none', () => {
    const given = [...composeText.matchAll(/\$\{(\w+)(:\?|:-)([^}]*)/g)];
    const required = given.filter(([, , kind]) => kind === ':?').map(([, name]) => name);
    expect(new Set(required)).toEqual(new Set(['SECRET_KEY', 'DATABASE_PASSWORD', 'REDIS_PASSWORD']));
    for (const [, name, kind, fallback] of given)
      if (/PASSWORD|SECRET|KEY|TOKEN/.test(name!) && kind === ':-')
        expect([name, fallback]).toEqual([name, '']);
    for (const [, service] of services)
      for (const [name, value] of Object.entries(service.environment ?? {}))
        if (/(PASSWORD|SECRET_KEY)$/.test(name) && value !== '')
          expect([name, value]).toEqual([name, expect.stringMatching(/^(\$\{|1$)/)]);
  });

  it('opens ports to this machine only', () => {
    const published = services.flatMap(([, { ports = [] }]) => ports);
    expect(published.length).toBeGreaterThan(0);
    for (const port of published) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
  });

  it('keeps database and counters on an internal network', () => {
    expect(compose.networks.back).toEqual({ internal: true });
    for (const name of ['mariadb', 'redis']) expect(compose.services[name]!.networks).toEqual(['back']);
    expect(namesOf(compose.services.proxy!.networks)).toEqual(['front']);
  });

  it.each(services)('has all that %s refers to', (name, service) => {
    for (const network of namesOf(service.networks)) expect(Object.keys(compose.networks)).toContain(network);
    for (const [target, need] of Object.entries(
      Array.isArray(service.depends_on)
        ? Object.fromEntries(service.depends_on.map((one) => [one, { condition: 'service_started' }]))
        : (service.depends_on ?? {}),
    )) {
      expect(Object.keys(compose.services)).toContain(target);
      if (need.condition === 'service_healthy') expect(compose.services[target]!.healthcheck).toBeDefined();
    }
    for (const volume of service.volumes ?? []) {
      const [source = ''] = volume.split(':');
      if (source.startsWith('.'))
        expect([source, existsSync(join(packageDirectory, source))]).toEqual([source, true]);
      else expect(Object.keys(compose.volumes)).toContain(source);
    }
    expect(service.restart).toBe('unless-stopped');
    expect(service.image).toMatch(service.build === undefined ? /:v?\d+\.\d+/ : /^pluto$/);
    // That of the instances is in their image.
    expect([name, service.healthcheck !== undefined]).toEqual([name, service.build === undefined]);
  });

  it('declares no volume and no network that nothing uses', () => {
    const volumes = services.flatMap(([, { volumes: used = [] }]) => used.map((one) => one.split(':')[0]));
    for (const volume of Object.keys(compose.volumes)) expect(volumes).toContain(volume);
    const networks = services.flatMap(([, { networks: used }]) => namesOf(used));
    for (const network of Object.keys(compose.networks)) expect(networks).toContain(network);
  });

  it('shares the pictures, where the server keeps them', () => {
    const dataDir = /DATA_DIR=(\S+)/.exec(dockerfile)![1]!;
    for (const [, service] of instances) expect(service.volumes).toEqual([`avatars:${dataDir}/avatars`]);
  });
});

describe('deploy/haproxy.cfg', () => {
  const port = /^EXPOSE (\d+)$/m.exec(dockerfile)![1]!;

  it('has the instances of the compose file, on the port of the image', () => {
    const servers = [...haproxy.matchAll(/^ {2}server (\S+) (\S+):(\d+)$/gm)];
    expect(servers.map(([, , host]) => host)).toEqual(instances.map(([name]) => name));
    for (const [, name, host, at] of servers) expect([name, at]).toEqual([host, port]);
  });

  it('listens where the compose file publishes and checks', () => {
    const { ports, healthcheck } = compose.services.proxy!;
    expect(haproxy).toContain(`bind :${ports![0]!.split(':')[2]}\n`);
    const url = new URL(healthcheck!.test.at(-1)!);
    expect(haproxy).toContain(`bind ${url.host}\n  monitor-uri ${url.pathname}\n`);
  });

  it('checks readiness, replaces X-Forwarded-For, and retries no writes', () => {
    expect(haproxy).toMatch(/http-check send meth GET uri \/health\/ready /);
    expect(haproxy).toContain('http-check expect status 200');
    expect(haproxy).toContain('http-request set-header X-Forwarded-For %[src]');
    expect(haproxy).not.toContain('option forwardfor');
    expect([...haproxy.matchAll(/retry-on (.+)/g)].map(([, when]) => when)).toEqual([
      'conn-failure empty-response',
    ]);
    expect(haproxy).toContain('http-request disable-l7-retry if !METH_GET ');
  });
});

describe('Dockerfile', () => {
  const stages = dockerfile.split(/^(?=FROM )/m);
  const last = stages.at(-1)!;

  it('builds in one stage and runs in another, as an unprivileged user', () => {
    expect(stages).toHaveLength(2);
    expect(last).not.toMatch(/npm ci|npm install|apt-get/);
    expect([...last.matchAll(/^USER (\S+)/gm)].map(([, user]) => user)).toEqual(['node']);
    expect(last.indexOf('USER node')).toBeGreaterThan(last.lastIndexOf('COPY'));
    expect(stages[0]).toContain('npm prune --omit=dev');
  });

  it('sets only known settings', () => {
    const names = [...last.matchAll(/^ENV (.+)$/gm)].flatMap(([, line]) =>
      [...line!.matchAll(/(\w+)=/g)].map(([, name]) => name!),
    );
    expect(names).toContain('DATA_DIR');
    for (const name of names) expect([...settingNames, 'NODE_ENV']).toContain(name);
    const environment = Object.fromEntries(
      [...last.matchAll(/(\w+)=(\S+)/g)]
        .filter(([, name]) => settingNames.includes(name!))
        .map(([, ...pair]) => pair),
    ) as Record<string, string>;
    expect(Settings.load(environment).port).toBe(Number(/^EXPOSE (\d+)$/m.exec(last)![1]));
  });

  it('starts the build, and checks health on an existing route', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: { start: string } };
    expect(JSON.parse(/^CMD (.*)$/m.exec(last)![1]!)).toEqual(scripts.start.split(' '));
    expect(existsSync(join(packageDirectory, 'src/main.ts'))).toBe(true);
    expect(/^HEALTHCHECK .*$/m.exec(last)![0]).toContain("'/health/live'");
    expect(read('src/health/health.controller.ts')).toMatch(
      /@Get\('health\/live'\)[\s\S]*@Get\('health\/ready'\)/,
    );
  });

  it('copies only files that exist and that .dockerignore allows', () => {
    const copied = stages
      .flatMap((stage) => [...stage.matchAll(/^COPY (?!--from)(.+) \S+$/gm)])
      .flatMap(([, sources]) => sources!.split(' ').map((source) => source.replace(/^\.\//, '')));
    for (const source of copied)
      expect([source, existsSync(join(packageDirectory, source))]).toEqual([source, true]);
    const [first, ...passed] = read('.dockerignore')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    expect(first).toBe('*');
    expect(passed.map((line) => line.replace(/^!/, '')).sort()).toEqual([...new Set(copied)].sort());
  });
});

describe('deploy/prometheus-alerts.yml', () => {
  const { groups } = parse(read('deploy/prometheus-alerts.yml')) as {
    groups: { rules: { alert: string; labels: { severity: string }; annotations: { summary: string } }[] }[];
  };
  const rules = groups.flatMap((group) => group.rules);

  it('has only alerts that docs/operations.md explains, and all of those', () => {
    const explained = [...read('docs/operations.md').matchAll(/^\| `(Pluto\w+)`/gm)].map(([, name]) => name);
    expect(rules.map(({ alert }) => alert).sort()).toEqual(explained.sort());
  });

  it('gives each a severity and a one-line summary', () => {
    for (const { alert, labels, annotations } of rules) {
      expect([alert, ['critical', 'warning', 'info'].includes(labels.severity)]).toEqual([alert, true]);
      expect(annotations.summary).toMatch(/^\S.{10,120}\.$/);
    }
  });
});

describe('the flags of Node', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: { start: string } };
  const flags = scripts.start.split(' ').filter((word) => word.startsWith('--'));

  it('are those of npm start in the image and under systemd', () => {
    expect(flags.length).toBeGreaterThan(0);
    expect(read('Dockerfile')).toContain(
      `CMD ["node", ${flags.map((flag) => `"${flag}"`).join(', ')}, "dist/pluto.js"]`,
    );
    expect(read('deploy/pluto@.service')).toContain(
      `ExecStart=/usr/bin/node ${flags.join(' ')} dist/pluto.js\n`,
    );
  });
});

it('docs/operations.md names only settings that exist in its example of two machines', () => {
  const [, example = ''] = /# \/etc\/pluto\.env\n([^]*?)```/.exec(read('docs/operations.md')) ?? [];
  const named = [...example.matchAll(/^([A-Z_]+)=/gm)].map(([, name]) => name);
  expect(named.length).toBeGreaterThan(5);
  expect(settingNames).toEqual(expect.arrayContaining(named));
});
