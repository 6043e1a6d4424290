import { startTestApp, type TestApp } from '../../support/app.js';
import type { Answer, Client } from '../../support/client.js';
import { environmentOf } from '../../support/command-line.js';
import { Mailbox } from '../../support/mailbox.js';
import { freePort, ServerProcess } from '../../support/server-process.js';
import { SmtpServer, type ReceivedMail } from '../../support/smtp.js';
import { eventually } from '../../support/eventually.js';

/** Two built servers on one database, and a third within the test to prepare and to look. */
export class Twins {
  private constructor(
    readonly app: TestApp,
    readonly servers: ServerProcess[],
    readonly clients: Client[],
    readonly smtp: SmtpServer,
  ) {}

  static async start(env: Record<string, string>): Promise<Twins> {
    const smtp = await SmtpServer.start();
    const app = await startTestApp({ env, sendMails: false });
    app.mailbox = new SmtpMailbox(smtp);
    const all = {
      ...environmentOf(app),
      PUBLIC_URL: app.settings.publicUrl,
      SMTP_URL: smtp.url,
      MAIL_FROM: 'accounts@pluto.test',
      RATE_LIMIT: 'false',
      ...env,
    };
    const servers = await Promise.all(
      [0, 1].map(async () => ServerProcess.start(app.dataDir, { ...all, PORT: await freePort() })),
    );
    const clients = await Promise.all(servers.map((server) => server.ready()));
    return new Twins(app, servers, clients, smtp);
  }

  /** Asks so many times at once, by turns at the one server and the other. */
  race(times: number, ask: (client: Client, index: number) => Promise<Answer>): Promise<Answer[]> {
    return Promise.all(Array.from({ length: times }, (_, index) => ask(this.clients[index % 2]!, index)));
  }

  async close(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.kill('SIGTERM')));
    await this.app.close();
    await this.smtp.close();
  }
}

/** What came by SMTP, as the tests look at mails that were written to files. */
class SmtpMailbox extends Mailbox {
  constructor(private readonly smtp: SmtpServer) {
    super('');
  }

  override to(address: string): Promise<ReceivedMail[]> {
    return Promise.resolve(this.smtp.to(address));
  }

  override waitFor(address: string, count = 1): Promise<ReceivedMail> {
    return eventually(() => this.smtp.to(address)[count - 1], `mail ${count} to ${address}`, 30_000);
  }
}
