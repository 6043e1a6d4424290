import { generateKeyPairSync } from 'node:crypto';
import { ApplicationSettings } from '../../src/applications/application-settings.entity.js';
import { ProviderSettingsService } from '../../src/applications/provider-settings.service.js';
import { type TestApplication } from '../support/applications.js';
import { countByCode, expectFailure, expectOk } from '../support/expectations.js';
import {
  admin,
  app,
  expectNothingChanged,
  expectRefused,
  type Fields,
  newApplication,
  noSettings,
  useDesk,
} from '../support/rbac.js';

useDesk();

describe('/v1/rbac/application/settings', () => {
  const pemOf = (curve: string) =>
    generateKeyPairSync('ec', { namedCurve: curve })
      .privateKey.export({ format: 'pem', type: 'pkcs8' })
      .toString();
  const applePrivateKey = pemOf('P-256');
  const secrets = {
    apple_private_key: applePrivateKey,
    wechat_app_secret: 'wechat-mobile-secret',
    wechat_web_app_secret: 'wechat-website-secret',
  };
  const everything = {
    redirect_urls: ['https://desk.example/in', 'org.example.desk:/in'],
    google_client_ids: ['1.apps.googleusercontent.com', '2.apps.googleusercontent.com'],
    apple_team_id: 'TEAM123456',
    apple_key_id: 'KEY1234567',
    apple_client_id: 'org.example.desk',
    wechat_app_id: 'wx0123456789abcdef',
    wechat_web_app_id: 'wxfedcba9876543210',
  };
  const everythingShown = {
    ...everything,
    apple_private_key_set: true,
    wechat_app_secret_set: true,
    wechat_web_app_secret_set: true,
    require_recent_sign_in: false,
  };
  const change = (own: TestApplication, fields: Fields) =>
    admin.put('/v1/rbac/application/settings', { app_id: own.id, ...fields });
  const read = ({ id }: TestApplication) => admin.get(`/v1/rbac/application/settings?app_id=${id}`);

  async function withEverything(): Promise<TestApplication> {
    const own = await newApplication();
    const answer = await change(own, { ...everything, ...secrets });
    expectOk(answer, { app_id: own.id, ...everythingShown });
    return own;
  }

  it('are empty for a new application', async () => {
    const own = await newApplication();
    expectOk(await read(own), { app_id: own.id, ...noSettings });
  });

  it('are stored, and returned without the secrets', async () => {
    const own = await withEverything();
    const answer = await read(own);
    expectOk(answer, { app_id: own.id, ...everythingShown });
    for (const secret of Object.values(secrets)) {
      expect(answer.text).not.toContain(JSON.stringify(secret).slice(1, -1));
      expect(app.log()).not.toContain(JSON.stringify(secret).slice(1, -1));
    }
  });

  it('store the secrets encrypted', async () => {
    const own = await withEverything();
    const row = await app.dataSource.manager.findOneByOrFail(ApplicationSettings, { applicationId: own.id });
    const stored = JSON.stringify(row);
    for (const secret of Object.values(secrets)) {
      const body = secret.replace(/-----.*-----|\s/g, '');
      expect(stored.replaceAll('\\n', '')).not.toContain(body);
      expect(stored).not.toContain(Buffer.from(body).toString('base64url').slice(0, 16));
    }
    expect(row.sealedApplePrivateKey).toMatch(/^v1\./);
    expect(row.sealedWechatAppSecret).toMatch(/^v1\./);
    expect(row.sealedWechatWebAppSecret).toMatch(/^v1\./);
  });

  it('stay unchanged for omitted fields and null', async () => {
    const own = await withEverything();
    expectOk(await change(own, {}), { app_id: own.id, ...everythingShown });
    const nulls = Object.fromEntries(Object.keys({ ...everything, ...secrets }).map((key) => [key, null]));
    expectOk(await change(own, nulls), { app_id: own.id, ...everythingShown });
    const redirect_urls = ['https://desk.example/other'];
    expectOk(await change(own, { redirect_urls }), { app_id: own.id, ...everythingShown, redirect_urls });
    expectOk(await change(own, { wechat_app_secret: 'a newer one'.replaceAll(' ', '-') }), {
      app_id: own.id,
      ...everythingShown,
      redirect_urls,
    });
  });

  it('are cleared by empty values', async () => {
    const own = await withEverything();
    const wechat = { wechat_app_id: '', wechat_app_secret: '' };
    expectOk(await change(own, { redirect_urls: [], ...wechat }), {
      app_id: own.id,
      ...everythingShown,
      redirect_urls: [],
      wechat_app_id: '',
      wechat_app_secret_set: false,
    });
    const rest = Object.keys({ ...everything, ...secrets }).map((key) => [key, /s$/.test(key) ? [] : '']);
    expectOk(await change(own, Object.fromEntries(rest) as Fields), { app_id: own.id, ...noSettings });
    expectOk(await read(own), { app_id: own.id, ...noSettings });
  });

  it('are separate for each application', async () => {
    const own = await withEverything();
    const other = await newApplication();
    expectOk(await change(other, { google_client_ids: ['3.apps.googleusercontent.com'] }));
    expectOk(await read(own), { app_id: own.id, ...everythingShown });
  });

  const apple = {
    apple_team_id: 'TEAM123456',
    apple_key_id: 'KEY1234567',
    apple_client_id: 'org.example.desk',
    apple_private_key: applePrivateKey,
  };
  it.each<[string, Fields]>([
    ...Object.keys(apple).map((key): [string, Fields] => [`Apple without ${key}`, { ...apple, [key]: '' }]),
    ['an Apple team alone', { apple_team_id: 'TEAM123456' }],
    ['a WeChat id alone', { wechat_app_id: 'wx1' }],
    ['a WeChat secret alone', { wechat_app_secret: 'secret' }],
    ['a WeChat website id alone', { wechat_web_app_id: 'wx1' }],
    ['a WeChat website secret alone', { wechat_web_app_secret: 'secret' }],
    [
      'the id of one WeChat app and the secret of the other',
      { wechat_app_id: 'wx1', wechat_web_app_secret: 's' },
    ],
    ['a whole provider next to half of another', { ...apple, wechat_app_id: 'wx1' }],
  ])('refuse %s with 1001', async (_what, fields) => {
    const own = await newApplication();
    await expectRefused(
      () => change(own, { redirect_urls: ['https://desk.example/in'], ...fields }),
      400,
      1001,
    );
  });

  it('refuse to clear a part of a provider with 1001', async () => {
    const own = await withEverything();
    for (const key of [...Object.keys(apple), 'wechat_app_id', 'wechat_app_secret', 'wechat_web_app_secret'])
      await expectRefused(() => change(own, { [key]: '' }), 400, 1001);
  });

  it.each([
    'https://desk.example/in',
    'http://localhost:3000/in?from=pluto',
    'https://desk.example',
    'https://[::1]:8443/in',
    'https://xn--n3h.example/%E7%AA%93',
    'org.example.desk:/in',
    'org.example.desk://in',
    'com.googleusercontent.apps.1234-abc:/oauth2redirect',
  ])('accept %s as a redirect URL', async (url) => {
    const own = await newApplication();
    const answer = await change(own, { redirect_urls: [url] });
    expectOk(answer);
    expect(answer.body.redirect_urls).toEqual([url]);
  });

  it('refuse other redirect URLs with 1001', async () => {
    const wrong = [
      'javascript:alert(1)',
      'JavaScript:alert(1)//desk.example',
      'data:text/html,x',
      'vbscript:x',
      'file:///etc/passwd',
      'blob:https://desk.example/1',
      'about:blank',
      'desk:/in',
      'https://desk.example/in#part',
      'https://desk.example/in#',
      'org.example.desk:/in#part',
      '/in',
      '//desk.example/in',
      'desk.example/in',
      'in',
      '?in',
      '',
      ' ',
      'https://',
      'https:desk.example/in',
      'https:/desk.example/in',
      'https:///desk.example/in',
      'https:\\\\desk.example/in',
      'https://desk.example\\in',
      'https://*.desk.example/in',
      'https://%2a.desk.example/in',
      'https://user:secret@desk.example/in',
      'https://user@desk.example/in',
      ' https://desk.example/in',
      'https://desk.example/in ',
      'https://desk.example/a b',
      'https://desk.example/\n',
      'java\nscript:alert(1)',
      'https://desk.example/窓口',
      `https://desk.example/${'x'.repeat(2048)}`,
      null,
      1,
      true,
      {},
      ['https://desk.example/in'],
    ];
    const own = await newApplication();
    await expectNothingChanged(async () => {
      for (const url of wrong)
        expectFailure(
          await change(own, { redirect_urls: ['https://desk.example/good', url] }),
          400,
          1001,
          expect.stringContaining('redirect_urls'),
        );
      for (const list of ['https://desk.example/in', {}, 1, true, Array(101).fill('https://desk.example/in')])
        expectFailure(await change(own, { redirect_urls: list }), 400, 1001);
    });
  });

  it('refuse other invalid values with 1001', async () => {
    const own = await withEverything();
    const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey;
    const keys = [
      rsa.export({ format: 'pem', type: 'pkcs8' }),
      'no key',
      applePrivateKey.slice(0, 60),
      pemOf('P-384'),
      'x'.repeat(9000),
    ];
    await expectNothingChanged(async () => {
      for (const key of keys) expectFailure(await change(own, { apple_private_key: key }), 400, 1001);
      for (const ids of [[''], ['a b'], ['x'.repeat(256)], [1], [null], 'a', {}])
        expectFailure(await change(own, { google_client_ids: ids }), 400, 1001);
      for (const field of [...Object.keys(apple), 'wechat_app_id', 'wechat_app_secret', 'wechat_web_app_id'])
        for (const value of [1, true, [], {}, 'a b', 'a\u0000', '窓口', 'x'.repeat(9000)])
          expectFailure(await change(own, { [field]: value }), 400, 1001, expect.stringContaining(field));
    });
  });

  it('read a private key of Apple in one line with \\n', async () => {
    const own = await newApplication();
    const line = applePrivateKey.replaceAll('\n', '\\n');
    expectOk(await change(own, { ...apple, apple_private_key: line }));
    const { apple: stored } = await app.app.get(ProviderSettingsService).get(own.id);
    expect(stored?.privateKey).toBe(applePrivateKey);
  });

  it('keep concurrent changes of different fields', async () => {
    const own = await newApplication();
    const changes: Fields[] = [
      { redirect_urls: everything.redirect_urls },
      { google_client_ids: everything.google_client_ids },
      apple,
      { wechat_app_id: everything.wechat_app_id, wechat_app_secret: secrets.wechat_app_secret },
      {
        wechat_web_app_id: everything.wechat_web_app_id,
        wechat_web_app_secret: secrets.wechat_web_app_secret,
      },
    ];
    const answers = await Promise.all(changes.map((fields) => change(own, fields)));
    expect(countByCode(answers)).toEqual({ 0: changes.length });
    expectOk(await read(own), {
      app_id: own.id,
      ...everythingShown,
      apple_team_id: apple.apple_team_id,
      apple_client_id: apple.apple_client_id,
    });
  });
});
