import { registration } from '../support/accounts.js';
import { type TestApplication } from '../support/applications.js';
import { countByCode, expectFailure, expectOk } from '../support/expectations.js';
import { admin, app, desk, expectNothingChanged, newApplication, useDesk } from '../support/rbac.js';

useDesk();

describe('POST /v1/rbac/application/update-i18n-name', () => {
  const replaceNames = (app_id: unknown, i18n_names: unknown) =>
    admin.post('/v1/rbac/application/update-i18n-name', { app_id, i18n_names });
  const names = (record: Record<string, string>) =>
    Object.entries(record).map(([tag, i18n_name]) => ({ tag, i18n_name }));

  async function expectNames({ id, name }: TestApplication, record: Record<string, string>): Promise<void> {
    const answer = await admin.get(`/v1/rbac/application/i18n-name?app_id=${id}`);
    expectOk(answer, { app_id: id, app_name: name, i18n_names: names(record) });
  }

  it('replaces the set, in the order of the tags', async () => {
    const own = await newApplication();
    await expectNames(own, {});
    expectOk(await replaceNames(own.id, names({ ja: '窓口', en: '  Help Desk ', 'zh-Hant': '服務臺' })), {});
    await expectNames(own, { en: 'Help Desk', ja: '窓口', 'zh-Hant': '服務臺' });
    expectOk(await replaceNames(own.id, names({ de: 'Schalter', ja: 'デスク' })), {});
    await expectNames(own, { de: 'Schalter', ja: 'デスク' });
    expectOk(await replaceNames(own.id, []), {});
    await expectNames(own, {});
  });

  it.each([
    ['zh-hans-cn', 'zh-Hans-CN'],
    ['ZH-HANT', 'zh-Hant'],
    ['EN-us', 'en-US'],
    ['iw', 'he'],
    ['pt-br-x-desk', 'pt-BR-x-desk'],
  ])('keeps the tag %s as %s', async (tag, canonical) => {
    const own = await newApplication();
    expectOk(await replaceNames(own.id, names({ [tag]: 'Desk' })), {});
    await expectNames(own, { [canonical]: 'Desk' });
  });

  it('refuses invalid tags with 1001, also next to valid ones', async () => {
    const wrong = [
      '',
      ' ',
      'e',
      'en__US',
      'english language',
      '-en',
      'en-',
      'en--US',
      'en-US-',
      '123',
      '*',
      'x-desk',
    ];
    const noText = [
      null,
      undefined,
      1,
      true,
      [],
      ['en'],
      {},
      `en-${'x'.repeat(62)}`,
      `en-x-${'abcdefgh-'.repeat(8)}a`,
    ];
    await expectNothingChanged(async () => {
      for (const tag of [...wrong, ...noText, 'en\u0000', '\ud800'])
        expectFailure(
          await replaceNames(desk.id, [
            { tag: 'ja', i18n_name: 'x' },
            { tag, i18n_name: 'Desk' },
          ]),
          400,
          1001,
          expect.stringContaining('tag'),
        );
    });
  });

  it('refuses a repeated language with 1001, also in two forms of its tag', async () => {
    const twice = [
      ['en', 'en'],
      ['zh-hans-cn', 'zh-Hans-CN'],
      ['EN', 'en'],
      ['iw', 'he'],
    ];
    await expectNothingChanged(async () => {
      for (const tags of twice) {
        const list = tags.map((tag) => ({ tag, i18n_name: 'Desk' }));
        expectFailure(await replaceNames(desk.id, list), 400, 1001, expect.stringContaining('i18n_names'));
      }
    });
  });

  it('refuses invalid names with 1001', async () => {
    const wrong = ['', '  ', 'x'.repeat(101), 'a\nb', 'a\u0000', '\ud800', null, undefined, 1, [], ['x'], {}];
    await expectNothingChanged(async () => {
      for (const i18n_name of wrong)
        expectFailure(
          await replaceNames(desk.id, [{ tag: 'en', i18n_name }]),
          400,
          1001,
          expect.stringContaining('i18n_name'),
        );
    });
  });

  it('refuses anything but a list of names with 1001', async () => {
    const one = { tag: 'en', i18n_name: 'Desk' };
    const wrong = [
      undefined,
      null,
      {},
      one,
      'en',
      1,
      true,
      [null],
      [one, null],
      [[one]],
      [[]],
      ['en'],
      [1],
      [true],
      [{}],
    ];
    await expectNothingChanged(async () => {
      for (const list of [...wrong, Array(101).fill(one)])
        expectFailure(await replaceNames(desk.id, list), 400, 1001);
    });
  });

  it('leaves one of several sets written concurrently', async () => {
    const own = await newApplication();
    const sets = Array.from({ length: 10 }, (_, turn) => ({
      en: `Desk ${turn}`,
      [`e${'abcdefghij'[turn]}`]: 'x',
    }));
    const answers = await Promise.all(sets.map((set) => replaceNames(own.id, names(set))));
    expect(countByCode(answers)).toEqual({ 0: 10 });
    const { body } = await admin.get(`/v1/rbac/application/i18n-name?app_id=${own.id}`);
    const left = (body.i18n_names as { tag: string; i18n_name: string }[]).map((one) => [
      one.tag,
      one.i18n_name,
    ]);
    expect(sets).toContainEqual(Object.fromEntries(left));
  });

  describe('names the application in mails and on pages', () => {
    const everyName = { en: 'Help Desk', ja: '総合窓口', 'zh-Hans-CN': '服务台', 'zh-Hant-TW': '服務臺' };

    /** What the verification mail and the page behind its link call the application. */
    async function namesSeen(
      own: TestApplication,
      acceptLanguage: string | undefined,
    ): Promise<[string, string]> {
      const headers: Record<string, string> = acceptLanguage ? { 'accept-language': acceptLanguage } : {};
      const account = registration({ app_id: own.name });
      expectOk(await app.client.post('/v1/user/register', account, { headers }));
      const { subject = '' } = await app.mailbox.waitFor(account.mail);
      const page = await app.client.page(await app.mailbox.linkTo(account.mail), headers);
      const shown = [...Object.values(everyName), own.name];
      const seenIn = (text: string) => shown.filter((name) => text.includes(name)).join();
      return [seenIn(subject), seenIn(page.text)];
    }

    it.each([
      ['ja-JP,ja;q=0.9,en;q=0.8', '総合窓口'],
      ['zh-CN', '服务台'],
      ['zh-TW,zh;q=0.9', '服務臺'],
      ['en-GB', 'Help Desk'],
      ['fr-FR, ja;q=0.5', '総合窓口'],
      ['fr-FR', 'Help Desk'],
      ['*', 'Help Desk'],
      [undefined, 'Help Desk'],
    ])('by the best match for %s: %s', async (acceptLanguage, name) => {
      const own = await newApplication();
      expectOk(await replaceNames(own.id, names(everyName)));
      expect(await namesSeen(own, acceptLanguage)).toEqual([name, name]);
    });

    it('by its own name if neither the language nor English exists', async () => {
      const own = await newApplication();
      expectOk(await replaceNames(own.id, names({ ja: '総合窓口' })));
      expect(await namesSeen(own, 'fr-FR')).toEqual([own.name, own.name]);
    });
  });
});
