import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { simpleParser, type ParsedMail } from 'mailparser';
import { SMTPServer, type SMTPServerDataStream, type SMTPServerSession } from 'smtp-server';
import { eventually } from './eventually.js';

export interface ReceivedMail extends ParsedMail {
  recipients: string[];
  /** The message as it was sent. */
  raw: string;
  /** Whether the connection was encrypted. */
  isEncrypted: boolean;
  /** What the sender called itself. */
  client: string;
}

/** What the server does with the next mail instead of taking it. */
export type Refusal =
  /** Answers with that code at the greeting, to the sender or recipient, or after the message. */
  | { code: number; at?: 'greeting' | 'sender' | 'recipient' | 'message'; text?: string }
  /** Takes the message and hangs up without an answer. */
  | 'drop';

/** A retried mail arrives only after a pause. */
const PATIENCE_MS = 30_000;

interface SmtpServerOptions {
  port?: number;
  /** Whom it lets send; everyone without. */
  login?: { user: string; password: string };
  /** Offers STARTTLS with a certificate that nobody has vouched for. */
  offersTls?: boolean;
  /** Whether it takes addresses that are not ASCII; true. */
  offersSmtpUtf8?: boolean;
  /** Delay before it accepts a message. */
  delayMs?: number;
}

/** A local mail server with scripted behaviour. */
export class SmtpServer {
  readonly mails: ReceivedMail[] = [];
  /** How many mails were offered, taken or not. */
  attempts = 0;
  /** How many sign-ins were tried, and with them passwords shown. */
  signIns = 0;
  readonly refusals: Refusal[] = [];
  private readonly sockets = new Set<Socket>();
  private readonly server: SMTPServer;

  private constructor(private readonly options: SmtpServerOptions) {
    const { login, offersTls = false, offersSmtpUtf8 = true } = options;
    this.server = new SMTPServer({
      disabledCommands: [...(offersTls ? [] : ['STARTTLS']), ...(login ? [] : ['AUTH'])],
      hideSMTPUTF8: !offersSmtpUtf8,
      authOptional: !login,
      allowInsecureAuth: true,
      disableReverseLookup: true,
      onAuth: (auth, _session, done) => {
        this.signIns++;
        if (auth.username === login?.user && auth.password === login?.password) done(null, { user: 'ok' });
        else done(answer(535, 'authentication failed'));
      },
      onConnect: (_session, done) => this.refuseAt('greeting', done),
      onMailFrom: (_address, _session, done) => this.refuseAt('sender', done),
      onRcptTo: (_address, _session, done) => {
        this.attempts++;
        this.refuseAt('recipient', done);
      },
      onData: (stream, session, done) => void this.take(stream, session).then(() => done(), done),
    });
    // A client that gives up on our certificate is what some tests are about.
    this.server.on('error', () => undefined);
    this.server.server.on('connection', (socket: Socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
  }

  static async start(options: SmtpServerOptions = {}): Promise<SmtpServer> {
    const server = new SmtpServer(options);
    server.server.listen(options.port ?? 0, '127.0.0.1');
    await once(server.server.server, 'listening');
    return server;
  }

  get port(): number {
    return (this.server.server.address() as AddressInfo).port;
  }

  /** The value for SMTP_URL. */
  get url(): string {
    return this.options.login ? `${this.strictUrl}?tls=optional` : this.strictUrl;
  }

  /** The same without permission for clear text. */
  get strictUrl(): string {
    const { login } = this.options;
    const credentials = login ? `${login.user}:${encodeURIComponent(login.password)}@` : '';
    return `smtp://${credentials}127.0.0.1:${this.port}`;
  }

  to(address: string): ReceivedMail[] {
    return this.mails.filter(({ recipients }) => recipients.includes(address));
  }

  /** Waits for a mail to the address. */
  waitFor(address: string): Promise<ReceivedMail> {
    return eventually(() => this.to(address)[0], `a mail to ${address}`, PATIENCE_MS);
  }

  /** Waits until so many mails were offered. */
  async waitForAttempts(count: number): Promise<void> {
    await eventually(() => this.attempts >= count, `attempt number ${count} to send a mail`);
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise<void>((resolve) => this.server.close(resolve));
  }

  private refuseAt(stage: string, done: (error?: Error) => void): void {
    const [next] = this.refusals;
    if (typeof next !== 'object' || next.at !== stage) return done();
    this.refusals.shift();
    done(answer(next.code, next.text));
  }

  private async take(stream: SMTPServerDataStream, session: SMTPServerSession): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    const refusal = this.refusals.shift();
    if (refusal === 'drop') return this.sockets.forEach((socket) => socket.destroy());
    if (refusal) throw answer(refusal.code, refusal.text);
    await new Promise((resolve) => setTimeout(resolve, this.options.delayMs ?? 0));
    const raw = Buffer.concat(chunks);
    const recipients = session.envelope.rcptTo.map(({ address }) => address);
    const { secure: isEncrypted, hostNameAppearsAs: client } = session;
    const seen = { recipients, raw: raw.toString(), isEncrypted, client: String(client) };
    this.mails.push(Object.assign(await simpleParser(raw), seen));
  }
}

function answer(responseCode: number, text = 'as the test wants it'): Error {
  return Object.assign(new Error(text), { responseCode });
}
