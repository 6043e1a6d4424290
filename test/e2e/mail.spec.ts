import { request } from 'node:http';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ApplicationName } from '../../src/applications/application-name.entity.js';
import { Transactions } from '../../src/database/transactions.js';
import { MailWorker } from '../../src/mail/mail.worker.js';
import { OutboxService } from '../../src/mail/outbox.service.js';
import { Identity } from '../../src/users/identity.entity.js';
import { MailIdentitiesService } from '../../src/users/mail-identities.service.js';
import { User } from '../../src/users/user.entity.js';
import { addAccount, login, registration, type TestAccount } from '../support/accounts.js';
import { startTestApp, type TestApp } from '../support/app.js';
import { addApplication } from '../support/applications.js';
import { freezeClock, passSeconds, setClock, thawClock } from '../support/clock.js';
import { eventually } from '../support/eventually.js';
import { linksAreQueued } from '../support/link-requests.js';
import { linkIn } from '../support/mailbox.js';
import { SmtpServer } from '../support/smtp.js';

const LOGIN = { user: 'pluto-mailer', password: 'smtp secret / with @ signs' };
const METRICS_TOKEN = 'a-token-of-the-scraper-0123456789';
const LINK = /^http:\/\/pluto\.test\/web\/mail\/verify\/[\w-]{43}$/m;

async function register(app: TestApp, change: Partial<TestAccount> = {}): Promise<TestAccount> {
  const account = registration(change);
  const answer = await app.client.post('/v1/user/register', account);
  expect(answer.text).toBe(JSON.stringify({ status: 'ok', body: { mail: account.mail, verified: false } }));
  return account;
}

const outboxOf = (app: TestApp) => app.app.get(OutboxService);
const queued = (app: TestApp) => outboxOf(app).list(false);
const failed = (app: TestApp) => outboxOf(app).list(true);

/** Has the worker look for due mails now rather than at its next poll. */
async function poll(app: TestApp): Promise<void> {
  const worker = app.app.get(MailWorker);
  await worker.stop();
  worker.start();
}

interface LogLine {
  msg: string;
  fault?: string;
  reason?: string;
}

function logLines(app: TestApp): LogLine[] {
  return app
    .log()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as LogLine);
}

/** The attempts to send a mail, by result. */
async function attempts(app: TestApp): Promise<Record<string, number>> {
  const { text } = await app.client.get('/metrics', { token: METRICS_TOKEN });
  const samples = [...text.matchAll(/^pluto_mail_attempts_total\{result="(\w+)"\} (\d+)$/gm)];
  return Object.fromEntries(samples.map(([, result, count]) => [result, Number(count)]));
}

/** Waits until every mail is sent or waits for its next attempt. */
async function settled(app: TestApp, attempts: number): Promise<void> {
  await eventually(
    async () => (await queued(app)).every((mail) => mail.attempts === attempts && mail.claim === null),
    `attempt ${attempts} to be settled`,
  );
}

describe('a mail sent by SMTP', () => {
  let smtp: SmtpServer;
  let app: TestApp;
  beforeAll(async () => {
    smtp = await SmtpServer.start({ login: LOGIN });
    app = await startTestApp({
      env: { SMTP_URL: smtp.url, MAIL_FROM: 'Pluto 账号 <accounts@pluto.test>' },
    });
  });
  afterAll(async () => {
    await app.close();
    await smtp.close();
  });

  it('has sender, recipient and subject, and the link as text and HTML', async () => {
    const { mail, name } = await register(app, { name: 'Ann <b>Bold</b> & Co' });
    const received = await smtp.waitFor(mail);
    expect(received.recipients).toEqual([mail]);
    expect(received.from?.value).toEqual([{ name: 'pluto', address: 'accounts@pluto.test' }]);
    expect([received.to].flat()[0]?.value).toEqual([{ name: '', address: mail }]);
    expect(received.subject).toBe('Confirm your email address for pluto');
    expect(received.headers.get('auto-submitted')).toBe('auto-generated');
    expect(received.messageId).toMatch(/^<.+@.+>$/);
    expect(received.text).toMatch(LINK);
    expect(received.text).toContain(name);
    const link = LINK.exec(received.text ?? '')?.[0];
    expect(received.html).toContain(`href="${link}"`);
    expect(received.html).toContain('Ann &lt;b&gt;Bold&lt;/b&gt; &amp; Co');
    expect((await app.client.submit(linkIn(received))).status).toBe(200);
  });

  it.each([
    ['zh-CN,zh;q=0.9', '请确认您在 pluto 的邮箱地址', 'lang="zh-Hans"'],
    ['ja-JP', '【pluto】メールアドレスの確認', 'lang="ja"'],
    ['xx', 'Confirm your email address for pluto', 'lang="en"'],
  ])('is in the language of Accept-Language %s', async (language, subject, htmlLanguage) => {
    const account = registration();
    await app.client.post('/v1/user/register', account, { headers: { 'accept-language': language } });
    const received = await smtp.waitFor(account.mail);
    expect(received.subject).toBe(subject);
    expect(received.html).toContain(htmlLanguage);
  });

  it.each([
    ['zh', '北风账号'],
    ['ja', 'North Wind'],
  ])('comes from the application, by its name in the language %s', async (language, name) => {
    const shop = await addApplication(app, { name: `north-wind-${language}` });
    for (const [tag, name] of [
      ['en', 'North Wind'],
      ['zh', '北风账号'],
    ])
      await app.dataSource.manager.insert(ApplicationName, { applicationId: shop.id, tag, name });
    const account = registration({ app_id: shop.name });
    await app.client.post('/v1/user/register', account, { headers: { 'accept-language': language } });
    const received = await smtp.waitFor(account.mail);
    expect(received.from?.value).toEqual([{ name, address: 'accounts@pluto.test' }]);
  });

  it('links to PUBLIC_URL whatever host the request names', async () => {
    const account = registration();
    const body = JSON.stringify(account);
    const headers = {
      host: 'evil.example',
      'x-forwarded-host': 'evil.example',
      'x-forwarded-proto': 'https',
      forwarded: 'host=evil.example;proto=https',
      origin: 'https://evil.example',
      'content-type': 'application/json',
    };
    const status = await new Promise((resolve, reject) => {
      request(`${app.url}/v1/user/register`, { method: 'POST', headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end(body);
    });
    expect(status).toBe(200);
    const received = await smtp.waitFor(account.mail);
    expect(received.text).toMatch(LINK);
    expect(received.raw).not.toContain('evil.example');
  });

  it('leaves nothing in the outbox once it is sent', async () => {
    const { mail } = await register(app);
    await smtp.waitFor(mail);
    await eventually(async () => (await queued(app)).length === 0, 'the outbox to be empty');
  });

  it('logs neither its body, nor a password, nor a token', async () => {
    const account = await register(app);
    const verification = await smtp.waitFor(account.mail);
    await app.client.submit(linkIn(verification));
    const tokens = await login(app, account);
    await app.client.post('/v1/user/password/reset/mail', { mail: account.mail, app_id: 'pluto' });
    const reset = await eventually(() => smtp.to(account.mail)[1], 'the reset mail');
    await app.client.submit(linkIn(reset), { password: 'another password' });
    smtp.refusals.push({ code: 550, at: 'recipient' });
    const refused = await register(app);
    await eventually(async () => (await failed(app)).length === 1, 'the refusal');

    const secrets = [
      ...[verification, reset].map((mail) => linkIn(mail).split('/').at(-1)!),
      account.password,
      refused.password,
      'another password',
      tokens.access_token,
      tokens.refresh_token,
      LOGIN.password,
      encodeURIComponent(LOGIN.password),
      'Please follow the link',
      'pluto.test/web',
    ];
    for (const secret of secrets) expect(app.log()).not.toContain(secret);
    expect(app.log()).toContain('mail sent');
    expect(app.log()).not.toContain(account.mail);
  });
});

describe('a mail server that rejects a mail', () => {
  let smtp: SmtpServer;
  let app: TestApp;
  beforeEach(async () => {
    freezeClock();
    smtp = await SmtpServer.start();
    app = await startTestApp({ env: { SMTP_URL: smtp.url, METRICS_TOKEN } });
  });
  afterEach(async () => {
    await app.close();
    await smtp.close();
    thawClock();
  });

  it('is tried again after a pause for a temporary error', async () => {
    smtp.refusals.push({ code: 451, at: 'recipient', text: 'greylisted' }, { code: 421 });
    const { mail } = await register(app);
    await smtp.waitForAttempts(1);
    await settled(app, 1);
    expect(await queued(app)).toMatchObject([{ state: 'queued', lastError: expect.stringContaining('451') }]);

    passSeconds(9);
    await poll(app);
    await poll(app);
    expect(smtp.attempts).toBe(1);
    passSeconds(1);
    await poll(app);
    await smtp.waitForAttempts(2);
    await settled(app, 2);

    passSeconds(30);
    expect(await smtp.waitFor(mail)).toBeDefined();
    expect(smtp.attempts).toBe(3);
  });

  it('is not tried again for a permanent error; the mail is listed and can be retried by hand', async () => {
    smtp.refusals.push({ code: 550, at: 'recipient', text: 'no such user' });
    const { mail } = await register(app);
    const [given] = await eventually(async () => {
      const mails = await failed(app);
      return mails.length > 0 && mails;
    }, 'the mail to be given up');
    expect(given).toMatchObject({
      recipient: mail,
      state: 'failed',
      attempts: 1,
      lastError: expect.stringContaining('no such user'),
    });

    passSeconds(3600);
    await poll(app);
    expect(smtp.attempts).toBe(1);

    expect(await outboxOf(app).retry(given!.id)).toBe(true);
    await poll(app);
    expect((await smtp.waitFor(mail)).text).toMatch(LINK);
    await eventually(async () => (await queued(app)).length === 0, 'the outbox to be empty');
    expect(await outboxOf(app).retry(given!.id)).toBe(false);
  });

  it.each([
    ['a greeting of 554', { code: 554, at: 'greeting', text: 'no SMTP service here' }, 'policy'],
    [
      '530 to the sender',
      { code: 530, at: 'sender', text: '5.7.0 Authentication required' },
      'authentication',
    ],
    ['550 5.7.1 to the sender', { code: 550, at: 'sender', text: '5.7.1 Sender rejected' }, 'policy'],
    [
      '550 5.4.5 to the recipient',
      { code: 550, at: 'recipient', text: '5.4.5 Daily quota exceeded' },
      'policy',
    ],
    ['554 to the recipient', { code: 554, at: 'recipient', text: 'Relay access denied' }, 'policy'],
    ['554 to the message', { code: 554, at: 'message', text: 'looks like spam' }, 'policy'],
  ] as const)('is tried again after %s', async (_, refusal, fault) => {
    smtp.refusals.push(refusal);
    const { mail } = await register(app);
    await settled(app, 1);
    expect(await queued(app)).toMatchObject([
      { state: 'queued', lastError: expect.stringContaining(String(refusal.code)) },
    ]);
    const line = logLines(app).find(({ msg }) => msg === 'mail not sent, will be retried');
    expect(line).toMatchObject({ fault, reason: expect.stringContaining(refusal.text) });
    expect(await attempts(app)).toMatchObject({ [fault]: 1, sent: 0 });

    passSeconds(10);
    await poll(app);
    await smtp.waitFor(mail);
  });

  it.each([
    ['550 5.1.1 to the recipient', { code: 550, at: 'recipient', text: '5.1.1 User unknown' }],
    ['552 to the recipient', { code: 552, at: 'recipient', text: 'mailbox is full' }],
    ['550 5.2.1 to the message', { code: 550, at: 'message', text: '5.2.1 Mailbox disabled' }],
  ] as const)('is not tried again after %s', async (_, refusal) => {
    smtp.refusals.push(refusal);
    await register(app);
    await eventually(async () => (await failed(app)).length === 1, 'the mail to be given up');
    const line = logLines(app).find(({ msg }) => msg === 'mail failed permanently');
    expect(line).toMatchObject({ fault: 'recipient', reason: expect.stringContaining(refusal.text) });
    expect(await attempts(app)).toMatchObject({ recipient: 1 });
  });

  it('is quoted without the address and links that it repeats', async () => {
    const account = registration();
    const text = `5.7.1 <${account.mail}> see https://spam.example/why?of=${account.mail} www.spam.example`;
    smtp.refusals.push({ code: 550, at: 'recipient', text });
    await app.client.post('/v1/user/register', account);
    await settled(app, 1);
    const [mail] = await queued(app);
    expect(mail!.lastError).toBe('EENVELOPE: RCPT TO: 550 5.7.1 <[address]> see [link] [link]');
    expect(app.log()).not.toMatch(/spam\.example/);
    expect(app.log()).not.toContain(account.mail);
  });

  it('is tried again when it closes the connection early', async () => {
    smtp.refusals.push('drop');
    const { mail } = await register(app);
    await smtp.waitForAttempts(1);
    await settled(app, 1);
    passSeconds(10);
    await poll(app);
    await smtp.waitFor(mail);
    await eventually(async () => (await queued(app)).length === 0, 'the outbox to be empty');
    expect(smtp.to(mail)).toHaveLength(1);
  });

  it('leads to a listed failure if it never accepts the mail', async () => {
    smtp.refusals.push(...Array.from({ length: 9 }, () => ({ code: 452 }) as const));
    await register(app);
    for (let attempt = 1; attempt <= 8; attempt++) {
      await smtp.waitForAttempts(attempt);
      await settled(app, attempt);
      const [mail] = await queued(app);
      setClock(mail!.nextAttemptAt);
      await poll(app);
    }
    const [mail] = await eventually(async () => {
      const mails = await failed(app);
      return mails.length > 0 && mails;
    }, 'the mail to be given up');
    expect(mail).toMatchObject({ attempts: 9, lastError: expect.stringContaining('452') });
    expect(app.log()).toContain('mail failed permanently');
  });
});

describe('a mail server that cannot be used', () => {
  const toClose: { close: () => Promise<void> }[] = [];
  const track = <T extends { close: () => Promise<void> }>(opened: T): T => (toClose.push(opened), opened);
  beforeEach(() => freezeClock());
  afterEach(async () => {
    for (const opened of toClose.splice(0).reverse()) await opened.close();
    thawClock();
  });

  async function failedAttempt(app: TestApp): Promise<TestAccount> {
    const account = await register(app);
    await eventually(async () => (await queued(app))[0]?.lastError, 'the failure');
    await settled(app, 1);
    return account;
  }

  it('is tried again when it refuses the connection', async () => {
    const closed = await SmtpServer.start();
    const { port, url } = closed;
    await closed.close();
    const app = track(await startTestApp({ env: { SMTP_URL: url } }));
    const { mail } = await failedAttempt(app);
    expect(await queued(app)).toMatchObject([
      { state: 'queued', lastError: expect.stringMatching(/ECONNREFUSED/) },
    ]);

    const smtp = track(await SmtpServer.start({ port }));
    passSeconds(10);
    await poll(app);
    await smtp.waitFor(mail);
  });

  it('keeps the mail queued when it rejects our password', async () => {
    const smtp = track(await SmtpServer.start({ login: LOGIN }));
    const url = smtp.url.replace(encodeURIComponent(LOGIN.password), 'outdated');
    const app = track(await startTestApp({ env: { SMTP_URL: url } }));
    await failedAttempt(app);
    expect(await queued(app)).toMatchObject([
      { state: 'queued', lastError: expect.stringContaining('EAUTH') },
    ]);
    expect(app.log()).not.toContain('outdated');
  });

  it('gets neither password nor mail in clear: without STARTTLS the mail stays queued', async () => {
    const smtp = track(await SmtpServer.start({ login: LOGIN }));
    const app = track(await startTestApp({ env: { SMTP_URL: smtp.strictUrl } }));
    await failedAttempt(app);
    expect([smtp.signIns, smtp.attempts]).toEqual([0, 0]);
    expect(await queued(app)).toMatchObject([
      { state: 'queued', lastError: expect.stringMatching(/^ETLS: .*STARTTLS/) },
    ]);
    expect(app.log()).not.toContain(LOGIN.password);
  });

  it('gets nothing in clear without credentials either, if the URL requires TLS', async () => {
    const smtp = track(await SmtpServer.start());
    const app = track(await startTestApp({ env: { SMTP_URL: `${smtp.url}?requireTLS=true` } }));
    await failedAttempt(app);
    expect(smtp.attempts).toBe(0);
  });

  it('gets mails by STARTTLS, with the name and trust settings of the URL', async () => {
    const warning = jest.spyOn(console, 'error').mockImplementation();
    const smtp = track(await SmtpServer.start({ login: LOGIN, offersTls: true }));
    warning.mockRestore();
    const url = `${smtp.strictUrl}?name=pluto.example&tls.rejectUnauthorized=false`;
    const app = track(await startTestApp({ env: { SMTP_URL: url } }));
    const { mail } = await register(app);
    const received = await smtp.waitFor(mail);
    expect(received).toMatchObject({ isEncrypted: true, client: 'pluto.example' });
  });

  it('gets nothing when it offers TLS with an untrusted certificate', async () => {
    const warning = jest.spyOn(console, 'error').mockImplementation();
    const smtp = track(await SmtpServer.start({ offersTls: true }));
    warning.mockRestore();
    const app = track(await startTestApp({ env: { SMTP_URL: smtp.url } }));
    await failedAttempt(app);
    expect(smtp.attempts).toBe(0);
  });
});

describe('a mail to an address with a local part that is not ASCII', () => {
  const toClose: { close: () => Promise<void> }[] = [];
  afterEach(async () => {
    for (const opened of toClose.splice(0).reverse()) await opened.close();
  });

  async function start(options: { offersSmtpUtf8?: boolean }): Promise<{ app: TestApp; smtp: SmtpServer }> {
    const smtp = await SmtpServer.start(options);
    const app = await startTestApp({ env: { SMTP_URL: smtp.url } });
    toClose.push(smtp, app);
    return { app, smtp };
  }

  it.each(['jürgen@example.com', '用户@example.com', 'jürgen@例子.example'])(
    'goes to %s by a server with SMTPUTF8',
    async (mail) => {
      const { app, smtp } = await start({});
      await register(app, { mail });
      await eventually(() => smtp.mails.length === 1, 'the mail');
      expect(smtp.mails[0]!.recipients[0]).toMatch(/^(jürgen|用户)@/);
    },
  );

  it('is never sent by one without it, and given up with the reason', async () => {
    const { app, smtp } = await start({ offersSmtpUtf8: false });
    await register(app, { mail: 'jürgen@example.com' });
    const [given] = await eventually(async () => {
      const mails = await failed(app);
      return mails.length > 0 && mails;
    }, 'the mail to be given up');
    expect(given).toMatchObject({ attempts: 1, lastError: expect.stringContaining('SMTPUTF8') });
    expect(smtp.attempts).toBe(0);
  });

  it('is no such mail if only the domain is not ASCII', async () => {
    const { app, smtp } = await start({ offersSmtpUtf8: false });
    await register(app, { mail: 'ann@例子.example' });
    await eventually(() => smtp.mails.length === 1, 'the mail');
    expect(smtp.mails[0]!.raw).toContain('ann@xn--fsqu00a.example');
  });
});

describe('the name by which Pluto greets a mail server', () => {
  const toClose: { close: () => Promise<void> }[] = [];
  afterEach(async () => {
    for (const opened of toClose.splice(0).reverse()) await opened.close();
  });

  it.each([
    ['http://accounts.pluto.example', '', 'accounts.pluto.example'],
    ['http://192.0.2.7:8010', '', '[192.0.2.7]'],
    // The server shows it in lower case.
    ['http://[2001:db8::7]', '', '[ipv6:2001:db8::7]'],
    ['http://accounts.pluto.example', '?name=mx.pluto.example', 'mx.pluto.example'],
  ])('with PUBLIC_URL=%s and %j in SMTP_URL is %s', async (publicUrl, query, client) => {
    const smtp = await SmtpServer.start();
    toClose.push(smtp);
    const app = await startTestApp({ env: { SMTP_URL: smtp.url + query, PUBLIC_URL: publicUrl } });
    toClose.push(app);
    const { mail } = await register(app);
    const received = await smtp.waitFor(mail);
    expect(received.client).toBe(client);
  });
});

describe('a queued mail', () => {
  let smtp: SmtpServer;
  let first: TestApp;
  const env = () => ({ SMTP_URL: smtp.url });
  beforeEach(async () => {
    freezeClock();
    smtp = await SmtpServer.start({ delayMs: 5 });
    first = await startTestApp({ env: env(), sendMails: false });
  });
  afterEach(async () => {
    await first.close();
    await smtp.close();
    thawClock();
  });

  it('survives the server that queued it, and is sent once', async () => {
    const { mail } = await register(first);
    await first.stop();
    const second = await startTestApp({ env: env(), on: first });
    await smtp.waitFor(mail);
    await eventually(async () => (await queued(second)).length === 0, 'the outbox to be empty');
    await second.stop();
    const third = await startTestApp({ env: env(), on: first });
    await poll(third);
    await third.stop();
    expect(smtp.to(mail)).toHaveLength(1);
  });

  it('is sent once by two servers that share the database', async () => {
    const accounts = await Promise.all(Array.from({ length: 20 }, () => register(first)));
    await first.stop();
    const servers = await Promise.all([0, 1].map(() => startTestApp({ env: env(), on: first })));
    await eventually(async () => (await queued(servers[0]!)).length === 0, 'the outbox to be empty');
    await Promise.all(servers.map((server) => server.stop()));
    expect(smtp.mails.flatMap(({ recipients }) => recipients).sort()).toEqual(
      accounts.map(({ mail }) => mail).sort(),
    );
    for (const server of servers) expect(server.log()).not.toContain('"level":"error"');
  });

  it('is taken over from a stalled worker, whose late report then changes nothing', async () => {
    const { mail } = await register(first);
    const dead = outboxOf(first);
    const claimed = await dead.claimNext();
    expect(claimed?.recipient).toBe(mail);

    const second = await startTestApp({ env: env(), on: first });
    passSeconds(179);
    await poll(second);
    await poll(second);
    expect(smtp.attempts).toBe(0);

    passSeconds(1);
    const taken = await outboxOf(second).claimNext();
    expect(taken?.recipient).toBe(mail);
    await dead.fail(claimed!, 'too late');
    await dead.markSent(claimed!);
    expect(await queued(second)).toMatchObject([{ state: 'queued', claim: taken?.claim, attempts: 2 }]);

    passSeconds(180);
    await poll(second);
    await smtp.waitFor(mail);
    await second.stop();
    expect(smtp.to(mail)).toHaveLength(1);
  });

  it('is not sent after its link has expired, but listed as failed', async () => {
    const { mail } = await addAccount(first);
    const other = await register(first);
    await first.client.post('/v1/user/password/reset/mail', { mail, app_id: 'pluto' });
    await linksAreQueued(first);
    await first.stop();
    passSeconds(3600);
    const second = await startTestApp({ env: env(), on: first });
    const [given] = await eventually(async () => {
      const mails = await failed(second);
      return mails.length > 0 && mails;
    }, 'the mail to be given up');
    expect(given).toMatchObject({
      template: 'password-reset',
      lastError: expect.stringContaining('expired'),
    });
    expect(await outboxOf(second).retry(given!.id)).toBe(false);
    await smtp.waitFor(other.mail);
    await second.stop();
    expect(smtp.to(mail)).toHaveLength(0);
  });

  it('contains no link and no name in clear', async () => {
    await register(first, { name: 'Aloysia Quarterstaff' });
    const rows: Record<string, unknown>[] = await first.dataSource.query('SELECT * FROM mails');
    expect(rows).toHaveLength(1);
    expect(rows[0]!.sealed_context).toEqual(expect.any(String));
    expect(JSON.stringify(rows)).not.toMatch(/http|pluto\.test|web\/mail|Aloysia|Quarterstaff/);
    const context = (await outboxOf(first).claimNext())?.context;
    expect(context).toMatchObject({ userName: 'Aloysia Quarterstaff' });
    expect(JSON.stringify(rows)).not.toContain(context!.link.split('/').at(-1));
  });

  it('is deleted with its registration, when another of the same mail is confirmed', async () => {
    const ann = await register(first);
    const other = await register(first, { mail: ann.mail });
    const queue = await queued(first);
    expect(queue).toHaveLength(2);
    const { manager } = first.dataSource;
    const { id } = await manager.findOneByOrFail(User, { handle: other.user_id });
    const identity = await manager.findOneByOrFail(Identity, { userId: id });
    await first.app
      .get(Transactions)
      .runFor(null, (inside) => first.app.get(MailIdentitiesService).confirm(inside, identity));
    expect(await queued(first)).toMatchObject([{ userId: id }]);
  });

  it('does not block the others when it cannot be decrypted', async () => {
    const broken = await register(first);
    await first.dataSource.query("UPDATE mails SET sealed_context = 'nonsense'");
    const { mail } = await register(first);
    const second = await startTestApp({ env: env(), on: first });
    await smtp.waitFor(mail);
    await eventually(async () => (await failed(second)).length === 1, 'the broken mail to be given up');
    expect(await failed(second)).toMatchObject([{ recipient: broken.mail, attempts: 1 }]);
    await second.stop();
    expect(smtp.to(broken.mail)).toHaveLength(0);
  });
});

describe('a mail without SMTP_URL', () => {
  let app: TestApp;
  beforeAll(async () => (app = await startTestApp()));
  afterAll(() => app.close());

  it('becomes a file that only its owner may read, and a log line with the link', async () => {
    const { mail } = await register(app);
    const received = await app.mailbox.waitFor(mail);
    expect(received.subject).toBe('Confirm your email address for pluto');
    expect(received.headers.get('auto-submitted')).toBe('auto-generated');
    expect(received.from?.text).toBe('"pluto" <accounts@pluto.test>');
    expect(received.html).toContain('<a href="http://pluto.test/web/mail/verify/');

    const folder = join(app.dataDir, 'outbox');
    const files = readdirSync(folder);
    expect(files).toEqual([expect.stringMatching(/\.eml$/)]);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, files[0]!)).mode & 0o777).toBe(0o600);

    const link = LINK.exec(received.text ?? '')![0];
    const lines = app.log().split('\n');
    expect(lines.filter((line) => line.includes(link))).toHaveLength(1);
  });
});
