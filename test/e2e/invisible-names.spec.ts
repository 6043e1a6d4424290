import { registration, signedIn } from '../support/accounts.js';
import { environmentOf, runPluto } from '../support/command-line.js';
import { expectFailure, expectOk } from '../support/expectations.js';
import {
  admin,
  app,
  desk,
  expectNothingChanged,
  newApplication,
  unusedName,
  useDesk,
} from '../support/rbac.js';

useDesk();

const NAMES = ['\u200b', '\u202e\u2066', '\ufeff\u00ad', '\u3164', '\u2800\u2800', '\u{e0041}\u{e007f}'];
const NOT_ALL_INVISIBLE = 'not all of them invisible';
/** A line of Arabic that begins with a mark is a name. */
const marked = (name: string) => `\u200f${name}`;

const operations = [
  ['an account', 'POST', '/v1/user/register', 'name', () => registration()],
  ['an account, later', 'PUT', '/v1/user/info', 'name', () => ({})],
  ['an application', 'POST', '/v1/rbac/application/create', 'name', () => ({})],
  ['a role', 'POST', '/v1/rbac/role/create', 'name', () => ({ app_id: desk.id })],
  ['a scope', 'POST', '/v1/rbac/scope/create', 'name', () => ({ app_id: desk.id })],
] as const;

const send = (method: string, path: string, body: object) => admin.request(method, path, { body });

describe.each(operations)('the name of %s', (_what, method, path, field, fields) => {
  it.each(NAMES)('is refused with 1001 if nothing of it can be seen: %j', async (name) => {
    await expectNothingChanged(async () => {
      const answer = await send(method, path, { ...fields(), [field]: name });
      expectFailure(answer, 400, 1001, expect.stringContaining(NOT_ALL_INVISIBLE));
    });
  });

  it('may hold marks', async () => {
    expectOk(await send(method, path, { ...fields(), [field]: marked(unusedName('name')) }));
  });
});

describe('the name of an application in a language', () => {
  it.each(['i18n_name', 'i18N_name'])(
    'is refused with 1001 if nothing of it can be seen: %s',
    async (field) => {
      const own = await newApplication();
      const replace = (name: string) =>
        admin.post('/v1/rbac/application/update-i18n-name', {
          app_id: own.id,
          i18n_names: [{ tag: 'ar', [field]: name }],
        });
      await expectNothingChanged(async () => {
        for (const name of NAMES)
          expectFailure(await replace(name), 400, 1001, expect.stringContaining(NOT_ALL_INVISIBLE));
      });
      expectOk(await replace(marked('سلام')));
    },
  );
});

describe('the command line', () => {
  it.each([
    [['app', 'create', '\u200b']],
    [['role', 'create', 'org.example.desk', '\u202e']],
    [['scope', 'create', 'org.example.desk', '\u2800']],
    [['admin', 'create', 'ann@example.com', '--handle', 'ann', '--name', '\u3164']],
  ])('refuses a name of which nothing can be seen: %j', async (args) => {
    await expectNothingChanged(async () => {
      const outcome = await runPluto(args, { env: environmentOf(app), cwd: app.dataDir });
      expect(outcome).toMatchObject({ code: 1, stderr: expect.stringContaining(NOT_ALL_INVISIBLE) });
    });
  });
});

it('a name that was stored before can still be read and changed', async () => {
  const { token } = await signedIn(app, { name: '\u200b' });
  expectOk(await app.client.get('/v1/user/info', { token }));
  expectOk(await app.client.put('/v1/user/info', { name: 'Ann' }, { token }));
});
