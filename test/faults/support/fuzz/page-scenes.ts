import { again, pick, take, type SceneMaker, type Scene } from './scene.js';
import { PASSWORD, type OpenedForm } from './world.js';

const FORM_ACCEPT = 'text/html';

const ofForm = (form: OpenedForm | undefined): Scene => {
  if (!form) return { fields: {} };
  const { path, cookie, fields } = form;
  return {
    fields: { ...fields, token: path.slice(path.lastIndexOf('/') + 1) },
    hidden: fields,
    cookie,
    accept: FORM_ACCEPT,
  };
};

/** The hosted pages, their forms as a browser sends them. */
export const pageScenes: Record<string, SceneMaker> = {
  'GET /web/authorize': (world, at) => {
    const { cookie, app_id } = pick(world.pages, at);
    const client = pick(world.clients, again(at));
    const fields = {
      client_id: client.key,
      app_id,
      redirect_uri: client.redirectUri,
      response_type: again(again(at)) < 0.7 ? 'code' : 'token',
      state: 'state',
      life_time: '600',
    };
    return { fields, cookie, client, accept: FORM_ACCEPT };
  },
  'POST /web/authorize': (world, at) => {
    const form = pick(world.forms.authorize.slice(-10), at);
    const client = world.clients.find(({ key }) => key === form?.fields.client_id);
    const scene = ofForm(form);
    const accept = again(at) < 0.3 ? 'application/json' : FORM_ACCEPT;
    const decision = again(again(at)) < 0.8 ? 'allow' : 'deny';
    return { ...scene, accept, fields: { ...scene.fields, decision }, ...(client && { client }) };
  },
  'GET /web/login': (world, at) => {
    const { cookie, app_id } = pick(world.pages, at);
    const next = again(again(at)) < 0.3 ? '/web/authorize?client_id=desk' : undefined;
    return { fields: { app_id, next }, accept: FORM_ACCEPT, ...(again(at) < 0.2 && { cookie }) };
  },
  'POST /web/login': (world, at) => {
    const account = pick(world.accounts, at);
    const { mail, password, app_id } = account;
    const fields = { account: mail, password, app_id, device_id: 'laptop', next: undefined };
    if (again(at) < 0.4) return { fields, account, accept: 'application/json' };
    const form = world.forms.login.at(-1);
    return { account, ...ofForm(form), hidden: { _csrf: form?.fields._csrf ?? '' }, fields };
  },
  'GET /web/mail/verify/{token}': (world, at) => ({
    fields: { token: pick(['none', ...world.verifyLinks.slice(-20)], at) },
    accept: FORM_ACCEPT,
  }),
  'POST /web/mail/verify/{token}': (world) => ofForm(take(world.forms.verify)),
  'GET /web/mail/change/{token}': (world, at) => ({
    fields: { token: pick(['none', ...world.changeLinks.slice(-6)], at) },
    accept: FORM_ACCEPT,
  }),
  'POST /web/mail/change/{token}': (world) => ofForm(take(world.forms.change)),
  'GET /web/mail/change/undo/{token}': (world, at) => ({
    fields: { token: pick(['none', ...world.undoLinks.slice(-20)], at) },
    accept: FORM_ACCEPT,
  }),
  // Few of them, since undoing a change ends the link that confirms it.
  'POST /web/mail/change/undo/{token}': (world, at) =>
    ofForm(again(at) < 0.3 ? take(world.forms.undo) : undefined),
  'GET /web/password/reset/{token}': (world, at) => ({
    fields: { token: pick(['none', ...world.resetLinks.slice(-20)], at) },
    accept: FORM_ACCEPT,
  }),
  'POST /web/password/reset/{token}': (world) => {
    const scene = ofForm(take(world.forms.reset));
    return { ...scene, fields: { ...scene.fields, password: PASSWORD, password_repeat: PASSWORD } };
  },
};
