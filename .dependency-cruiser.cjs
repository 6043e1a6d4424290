/**
 * Who may import whom:
 *   web → oauth → auth → {users, token} → rbac → applications → {mail, events} → housekeeping → {database, limits} →
 *   {common, config}.
 * A module may import itself and anything to its right, never anything to its left or in the same place.
 */
const layers = [
  ['web'],
  ['oauth'],
  ['auth'],
  ['users', 'token'],
  ['rbac'],
  ['applications'],
  ['mail', 'events'],
  ['housekeeping'],
  ['database', 'limits'],
  ['common', 'config'],
];

const layerRules = layers.flatMap((modules, depth) =>
  modules.map((name) => {
    const above = layers.slice(0, depth).flat();
    const beside = depth === layers.length - 1 ? [] : modules.filter((other) => other !== name);
    return {
      name: `${name}-imports-only-lower-layers`,
      severity: 'error',
      from: { path: `^src/${name}/` },
      to: { path: `^src/(${[...above, ...beside, 'health', 'cli', 'server', '[^/]+\\.ts$'].join('|')})` },
    };
  }),
);

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'config-imports-only-common',
      severity: 'error',
      from: { path: '^src/common/' },
      to: { path: '^src/config/.*(module|service)' },
    },
    {
      name: 'controllers-are-imported-by-modules-only',
      severity: 'error',
      from: { path: '^src/', pathNot: '\\.module\\.ts$' },
      to: { path: '\\.controller\\.ts$' },
    },
    {
      name: 'services-know-no-http',
      severity: 'error',
      from: { path: '\\.(service|worker|entity)\\.ts$' },
      to: { path: '(platform-fastify|node_modules/fastify/)' },
    },
    {
      name: 'audit-is-imported-by-the-application-alone',
      comment: 'It listens: nothing may come to depend on being recorded.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(audit/|(app\\.module|entities)\\.ts$)' },
      to: { path: '^src/audit/' },
    },
    {
      name: 'audit-imports-only-rbac-and-below',
      severity: 'error',
      from: { path: '^src/audit/' },
      to: {
        path: '^src/',
        pathNot: '^src/(audit|rbac|applications|events|housekeeping|database|common|config)/',
      },
    },
    {
      name: 'no-dev-dependencies',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev'] },
    },
    {
      name: 'what-only-listens-is-imported-by-nobody',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(metrics/|server/serve\\.ts$|app\\.module\\.ts$)' },
      to: { path: '^src/metrics/' },
    },
    {
      name: 'server-and-cli-are-imported-by-entry-points-alone',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(server/|cli/|(app\\.module|cli|main|openapi)\\.ts$)' },
      to: { path: '^src/(server|cli)/' },
    },
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    ...layerRules,
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default'],
    },
    doNotFollow: { path: 'node_modules' },
  },
};
