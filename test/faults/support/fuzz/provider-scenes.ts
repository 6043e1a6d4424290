import { WECHAT_WEB_APP } from '../../../support/wechat.js';
import { again, asUser, bearer, pick, take, type SceneMaker } from './scene.js';

/** Signing in with Google, Apple and WeChat. */
export const providerScenes: Record<string, SceneMaker> = {
  'POST /v1/user/login/google/mobile': async (world, at) => ({
    fields: { id_token: await world.google.idToken(), app_id: pick(world.applications, at).name },
  }),
  'POST /v1/user/login/apple/mobile': (world, at) => ({
    fields: {
      code: world.apple.code(),
      app_id: pick(world.applications, at).name,
      name: 'Ann',
      device_id: 'i',
    },
  }),
  'POST /v1/user/login/wechat/mobile': (world, at) => ({
    fields: { code: world.wechat.code(world.wechat.person()), app_id: pick(world.applications, at).name },
  }),
  'GET /v1/user/login/wechat/web': (world, at) => {
    const state = again(at) < 0.5 ? take(world.wechatStates) : undefined;
    if (state) return { fields: { state, code: world.wechat.code(world.wechat.person(), WECHAT_WEB_APP) } };
    const redirect_url = again(again(at)) < 0.5 ? 'https://fuzz.example/signed-in' : undefined;
    return { fields: { app_id: pick(world.applications, at).name, redirect_url } };
  },
  'POST /v1/user/binding': async (world, at) => {
    const type = pick(['google', 'google', 'apple', 'wechat', 'mail'], again(at));
    const credentials: Record<string, object> = {
      google: { id_token: await world.google.idToken() },
      apple: { code: world.apple.code() },
      wechat: { code: world.wechat.code(world.wechat.person()) },
      mail: { mail: `${world.fresh()}@fuzz.example` },
    };
    return asUser(world, at, { type, ...credentials[type] });
  },
  'POST /v1/user/unbinding': (world, at) => {
    const account = take(world.bound);
    if (!account) return asUser(world, at, { type: 'google' });
    return { account, fields: { type: 'google' }, authorization: bearer(account.accessToken) };
  },
};
