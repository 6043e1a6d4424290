import { basic } from '../../../support/oauth.js';
import { again, asAdministrator, bearer, pick, take, type SceneMaker, type Scene } from './scene.js';
import type { World } from './world.js';

/** Clients and tokens. */
export const oauthScenes: Record<string, SceneMaker> = {
  'POST /v1/token/refresh': (world, at) => {
    const { refreshToken, app_id } = pick(
      world.sessions.filter(({ client }) => !client),
      at,
    );
    return { fields: { refresh_token: refreshToken, app_id, scopes: again(at) < 0.5 ? 'read' : undefined } };
  },
  'GET /v1/token/access/verify': (world, at) => ({ fields: { token: pick(world.sessions, at).accessToken } }),
  'POST /v1/oauth/tokens': tokensScene,
  'POST /v1/oauth/client': (world, at) => {
    const account = pick(
      world.users.filter(({ app_id }) => app_id === 'pluto'),
      at,
    );
    const key = world.fresh();
    const fields = { key, secret: 'yO9QkXG2sV_0dT7rLwB3-A', redirect_uri: `https://${key}.example/back` };
    return { fields, account, authorization: bearer(account.accessToken) };
  },
  'PUT /v1/oauth/client/application': (world, at) =>
    asAdministrator(world, {
      key: pick(world.clients, at).key,
      app_ids: ['pluto', pick(world.applications, again(at)).name],
    }),
  'PUT /v1/oauth/client/status': (world, at) =>
    asAdministrator(world, {
      key: world.newClients.length > 0 ? pick(world.newClients, at) : 'none',
      status: again(at) < 0.5 ? 'approved' : 'denied',
    }),
};

function tokensScene(world: World, at: number): Scene {
  const granted = again(at) < 0.4 ? take(world.codes) : undefined;
  if (granted) {
    const { code, client } = granted;
    const fields = { grant_type: 'authorization_code', code, redirect_uri: client.redirectUri };
    return { fields, client, authorization: basic(client) };
  }
  const session = again(again(at)) < 0.3 ? world.sessions.findLast((one) => one.client) : undefined;
  if (session?.client) {
    const { refreshToken: refresh_token, app_id, client } = session;
    const fields = { grant_type: 'refresh_token', refresh_token, app_id };
    return { fields, client, authorization: basic(client) };
  }
  const client = pick(world.clients, at);
  if (again(again(at)) < 0.6)
    return {
      fields: { grant_type: 'client_credentials', app_id: 'pluto' },
      client,
      authorization: basic(client),
    };
  const { mail, password, app_id } = pick(world.accounts, at);
  const { key: client_id, secret: client_secret } = client;
  return {
    fields: { grant_type: 'password', user: mail, password, app_id, client_id, client_secret },
    client,
  };
}
