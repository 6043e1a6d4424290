// A client of types that openapi-typescript has generated. Usage: journey.js register|use URL MAIL
import createClient from 'openapi-fetch';
import type { components, paths } from './pluto.js';

type TokenPair = components['schemas']['TokenPair'];

const [step = '', baseUrl = '', mail = ''] = process.argv.slice(2);
const password = 'a password of the journey';
const client = createClient<paths>({ baseUrl });

function bodyOf<Body>({ data, error }: { data?: { body: Body }; error?: unknown }): Body {
  if (!data) throw new Error(`refused: ${JSON.stringify(error)}`);
  return data.body;
}

const bearer = ({ access_token }: TokenPair) => ({ authorization: `Bearer ${access_token}` });

async function register(): Promise<void> {
  const body = { mail, user_id: mail.split('@')[0]!, name: 'Journey', password, app_id: 'pluto' };
  const registered = bodyOf(await client.POST('/v1/user/register', { body }));
  if (registered.mail !== mail) throw new Error('another mail was registered');
}

async function use(): Promise<void> {
  const login = { account: mail, password, app_id: 'pluto' };
  const first = bodyOf(await client.POST('/v1/user/login/account', { body: login }));
  const info = bodyOf(await client.GET('/v1/user/info', { headers: bearer(first) }));
  if (info.mail !== mail || info.name !== 'Journey') throw new Error('the profile is of somebody else');
  const refresh = { refresh_token: first.refresh_token, app_id: 'pluto' };
  const second = bodyOf(await client.POST('/v1/token/refresh', { body: refresh }));
  if (second.access_token_expire_at < Date.now() / 1000) throw new Error('the new token has expired');
  bodyOf(await client.POST('/v1/user/delete', { headers: bearer(second) }));
  const refused = await client.POST('/v1/user/login/account', { body: login });
  if (refused.error?.error.code !== 3001) throw new Error('the account is still there');
}

await (step === 'register' ? register() : use());
