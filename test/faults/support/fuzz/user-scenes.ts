import { again, asAdministrator, asUser, bearer, pick, take, type SceneMaker } from './scene.js';
import { PASSWORD } from './world.js';

const PNG =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

/** Accounts and their profiles. */
export const userScenes: Record<string, SceneMaker> = {
  'POST /v1/user/register': (world, at) => {
    const name = world.fresh();
    const app_id = again(at) < 0.2 ? 'pluto' : pick(world.applications, at).name;
    return { fields: { mail: `${name}@fuzz.example`, user_id: name, name, password: PASSWORD, app_id } };
  },
  'POST /v1/user/register/verify/mail': (world, at) => {
    const mail = again(at) < 0.7 ? pick(world.unverified, at) : undefined;
    const account = world.accounts.find((one) => one.mail === mail) ?? pick(world.accounts, at);
    const { app_id, user_id } = account;
    return { fields: again(at) < 0.4 ? { mail: account.mail, app_id } : { app_id, user_id } };
  },
  'POST /v1/user/login/account': (world, at) => {
    const account = pick(world.accounts, at);
    const { mail, user_id, password, app_id } = account;
    return {
      account,
      fields: { account: again(at) < 0.5 ? mail : user_id, password, app_id, device_id: 'phone' },
    };
  },
  'POST /v1/user/password/reset/mail': (world, at) => {
    const { mail, app_id } = pick(world.accounts, at);
    return { fields: { mail, app_id } };
  },
  'POST /v1/user/mail/change': (world, at) => {
    const scene = asUser(world, at);
    return { ...scene, fields: { mail: `${world.fresh()}@fuzz.example` } };
  },
  'POST /v1/user/reauthenticate': (world, at) => {
    const scene = asUser(world, at);
    const { password } = scene.account ?? {};
    return { ...scene, fields: { password, type: undefined, id_token: undefined, code: undefined } };
  },
  'POST /v1/user/password/change': (world, at) => {
    const scene = asUser(world, at);
    return { ...scene, fields: { old_password: scene.account?.password, new_password: PASSWORD } };
  },
  'POST /v1/user/logout': (world, at) => ({
    fields: { refresh_token: again(at) < 0.8 ? world.fresh() : take(world.mortals)?.refreshToken },
  }),
  'GET /v1/user/session/list': (world, at) => asUser(world, at),
  'POST /v1/user/session/end': (world, at) => {
    const ended = take(world.endable);
    if (!ended) return asUser(world, at, { id: 'page-1' });
    const { account, id } = ended;
    return { fields: { id }, account, authorization: bearer(account.accessToken) };
  },
  'POST /v1/user/session/end-others': (world) => {
    const mortal = world.mortals.at(-1);
    return { fields: {}, authorization: bearer(mortal?.accessToken ?? 'nobody') };
  },
  'PUT /v1/user/info': (world, at) => {
    const user_id = again(at) < 0.3 ? world.fresh() : undefined;
    const avatar = pick(['', 'https://fuzz.example/a.png', PNG, `data:image/png;base64,${PNG}`], again(at));
    return asUser(world, at, { name: 'Fuzz', avatar, user_id });
  },
  'GET /v1/user/info/public': (world, at) => ({
    fields: { ids: [pick(world.users, at).id, pick(world.users, again(at)).id] },
  }),
  'GET /v1/user/info/{userId}/public': (world, at) => {
    const { user_id, app_id } = pick(world.accounts, at);
    return { fields: { userId: user_id, app_id } };
  },
  'POST /v1/user/delete': (world) => {
    const mortal = take(world.mortals);
    return { fields: {}, authorization: bearer(mortal?.accessToken ?? 'nobody') };
  },
  'GET /v1/user/search': (world, at) =>
    asAdministrator(world, { name: 'fuzz', limit: 5, offset: Math.floor(at * 9) }),
};
