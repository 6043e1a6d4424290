import { startTestApp, type TestApp } from '../support/app.js';
import { expectFailure, expectOk } from '../support/expectations.js';
import { registration } from '../support/accounts.js';

const NEW_PASSWORD = 'fresh horse battery';

describe.each(['admin@localhost', 'root@mail-host', 'Admin@intranet'])(
  'an administrator with ADMIN_MAIL=%s',
  (mail) => {
    let app: TestApp;
    beforeAll(async () => {
      app = await startTestApp({ env: { ADMIN_MAIL: mail } });
    });
    afterAll(() => app.close());

    async function expectResetBy(link: string, password: string): Promise<void> {
      expect((await app.client.submit(link, { password, password_repeat: password })).status).toBe(200);
      const account = { account: mail, password, app_id: 'pluto' };
      expectOk(await app.client.post('/v1/user/login/account', account));
    }

    it('sets a new password by the reset mail of the API', async () => {
      const asked = { mail: mail.toUpperCase(), app_id: 'pluto' };
      expectOk(await app.client.post('/v1/user/password/reset/mail', asked), {});
      await expectResetBy(await app.mailbox.linkTo(mail), NEW_PASSWORD);
    });

    it('sets a new password by the reset mail of the page', async () => {
      const sent = await app.client.submit('/web/password/forgot', { mail: ` ${mail} ` });
      expect(sent.text).toContain('Check your email');
      await expectResetBy(await app.mailbox.linkTo(mail, 2), `${NEW_PASSWORD} 2`);
    });

    it('does not open the registration to such addresses', async () => {
      const stranger = registration({ mail: `stranger-${mail}` });
      expectFailure(await app.client.post('/v1/user/register', stranger), 400, 1001);
    });

    it.each([
      'admin',
      'admin@',
      '@localhost',
      'a b@localhost',
      'admin@local host',
      'admin@-',
      '"a"@localhost',
    ])('is not asked for as %j', async (typed) => {
      const asked = { mail: typed, app_id: 'pluto' };
      expectFailure(await app.client.post('/v1/user/password/reset/mail', asked), 400, 1001);
    });
  },
);
