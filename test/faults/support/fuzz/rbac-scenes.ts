import { again, asAdministrator, pick, type SceneMaker } from './scene.js';

/** Applications, roles and scopes. */
export const rbacScenes: Record<string, SceneMaker> = {
  'POST /v1/rbac/user/application/role': (world, at) => {
    const account = pick(
      world.users.filter(({ app_id }) => app_id !== 'pluto'),
      at,
    );
    const application = world.applications.find(({ name }) => name === account.app_id)!;
    const role_id = pick(Object.values(application.roles), again(at));
    return asAdministrator(world, { user_id: account.id, app_id: application.id, role_id });
  },
  'POST /v1/rbac/application/create': (world) => asAdministrator(world, { name: world.fresh() }),
  'POST /v1/rbac/application/update-i18n-name': (world, at) =>
    asAdministrator(world, {
      app_id: pick(world.applications, at).id,
      i18n_names: [
        { tag: 'ja', i18n_name: 'サンプル' },
        { tag: 'zh-hans', i18n_name: '样本' },
      ],
    }),
  'PUT /v1/rbac/application/settings': (world, at) => {
    const app_id = pick(world.configurable, at).id;
    const accounts = [
      { redirect_urls: ['https://fuzz.example/back'], google_client_ids: ['one.example', 'two.example'] },
      { wechat_app_id: world.fresh(), wechat_app_secret: 'secret', google_client_ids: [] },
      { wechat_web_app_id: '', wechat_web_app_secret: '', redirect_urls: [] },
      {
        apple_team_id: 'TEAM',
        apple_key_id: 'KEY',
        apple_client_id: 'org.fuzz',
        apple_private_key: world.apple.env.APPLE_PRIVATE_KEY,
      },
    ];
    return asAdministrator(world, { app_id, ...pick(accounts, again(at)) });
  },
  'POST /v1/rbac/role/create': (world, at) =>
    asAdministrator(world, { app_id: pick(world.applications, at).id, name: world.fresh() }),
  'POST /v1/rbac/scope/create': (world, at) =>
    asAdministrator(world, { app_id: pick(world.applications, at).id, name: world.fresh() }),
};
