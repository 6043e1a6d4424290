import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { registration, type TestAccount } from '../support/accounts.js';
import { builtServer } from '../support/built.js';
import type { Client } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { freePort, ServerProcess } from '../support/server-process.js';
import { SmtpServer } from '../support/smtp.js';
import { SERVER_ENV, ShiftedClock } from './support/server.js';

let folder: string;
let clock: ShiftedClock;
let smtp: SmtpServer | undefined;
let rude: RudeServer | undefined;
beforeAll(() => builtServer(), 180_000);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pluto-smtp-'));
  clock = new ShiftedClock(folder);
});
afterEach(async () => {
  await ServerProcess.killAll();
  await smtp?.close();
  await rude?.close();
  smtp = rude = undefined;
  rmSync(folder, { recursive: true });
});

/** Speaks just enough SMTP to break off at a chosen point. */
class RudeServer {
  connections = 0;
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly server: Server) {}

  /** @param until the command after which it hangs up, or falls silent; '' for the connection itself */
  static async start(until: string, manner: 'hangs up' | 'is silent'): Promise<RudeServer> {
    const server = createServer();
    const rude = new RudeServer(server);
    server.on('connection', (socket) => rude.talk(socket, until, manner));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return rude;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }

  private talk(socket: Socket, until: string, manner: 'hangs up' | 'is silent'): void {
    this.connections++;
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket)).on('error', () => undefined);
    const breakOff = () => manner === 'hangs up' && socket.destroy();
    if (until === '') return void breakOff();
    socket.write('220 rude\r\n');
    let isMessage = false;
    socket.setEncoding('utf8').on('data', (text: string) => {
      // The first bytes of the message.
      if (isMessage) return void breakOff();
      const command = text.slice(0, 4).toUpperCase();
      if (command === until && until !== 'DATA') return void breakOff();
      isMessage = command === 'DATA';
      socket.write(isMessage ? '354 go on\r\n' : '250 ok\r\n');
    });
  }
}

function start(port: number): Promise<ServerProcess> {
  return ServerProcess.start(folder, { ...SERVER_ENV, ...clock.env, SMTP_URL: `smtp://127.0.0.1:${port}` });
}

async function register(client: Client): Promise<TestAccount> {
  const account = registration();
  expect((await client.post('/v1/user/register', account)).status).toBe(200);
  return account;
}

const notSent = (server: ServerProcess) => server.stdout.split('mail not sent').length - 1;

/** Waits for the mails, and for others that must not come. */
async function expectOneEach(server: SmtpServer, accounts: TestAccount[]): Promise<void> {
  for (const { mail } of accounts) await server.waitFor(mail);
  await sleep(2500);
  for (const { mail } of accounts) expect(server.to(mail)).toHaveLength(1);
}

describe('A mail server', () => {
  it.each([
    ['refuses connections', null, 'hangs up'],
    ['hangs up at once', '', 'hangs up'],
    ['hangs up before the message', 'RCPT', 'hangs up'],
    ['hangs up in the midst of the message', 'DATA', 'hangs up'],
  ] as const)('that %s, and another that comes back, get each mail taken once', async (_, until, manner) => {
    const port = until === null ? Number(await freePort()) : 0;
    if (until !== null) rude = await RudeServer.start(until, manner);
    const usedPort = rude?.port ?? port;
    const first = await start(usedPort);
    const client = await first.ready();
    const accounts = [await register(client), await register(client), await register(client)];
    await eventually(() => notSent(first) >= accounts.length, 'the failures');

    expect(await first.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    await rude?.close();
    rude = undefined;
    smtp = await SmtpServer.start({ port: usedPort });
    await clock.set(15);
    const second = await start(usedPort);
    await second.ready();
    await expectOneEach(smtp, accounts);
    expect(await second.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  });

  it('that accepts a mail and hangs up gets it again, and the others once', async () => {
    smtp = await SmtpServer.start();
    smtp.refusals.push('drop');
    const server = await start(smtp.port);
    const client = await server.ready();
    const dropped = await register(client);
    await eventually(() => notSent(server) === 1, 'the failure');
    const other = await register(client);
    await clock.set(15);
    await expectOneEach(smtp, [dropped, other]);
    expect(smtp.attempts).toBe(3);
  });

  it('that refuses one mail temporarily and one permanently gets only the first again', async () => {
    smtp = await SmtpServer.start();
    smtp.refusals.push({ code: 451, at: 'recipient' });
    const server = await start(smtp.port);
    const client = await server.ready();
    const later = await register(client);
    await eventually(() => notSent(server) === 1, 'the failure');
    smtp.refusals.push({ code: 550, at: 'recipient' });
    const never = await register(client);
    await eventually(() => server.stdout.includes('mail failed permanently'), 'the end of the other');
    await clock.set(15);
    await expectOneEach(smtp, [later]);
    expect(smtp.to(never.mail)).toHaveLength(0);
  });

  it.each(['', 'DATA'])(
    'that falls silent (after %j) keeps neither requests nor the end of the server',
    async (until) => {
      rude = await RudeServer.start(until, 'is silent');
      const { port } = rude;
      const first = await start(port);
      const client = await first.ready();
      const accounts = [await register(client), await register(client)];
      await eventually(() => rude!.connections >= 2, 'the deliveries that hang');
      // No request waited for the timeout of a delivery.
      expect(notSent(first)).toBe(0);
      expect(await first.kill('SIGTERM')).toEqual({ code: 0, signal: null });

      await rude.close();
      rude = undefined;
      smtp = await SmtpServer.start({ port });
      // The claims of the server that has ended run out.
      await clock.set(200);
      const second = await start(port);
      await second.ready();
      await expectOneEach(smtp, accounts);
    },
  );

  it('that is silent for longer than the timeouts gets the mail again later', async () => {
    rude = await RudeServer.start('', 'is silent');
    const { port } = rude;
    const server = await start(port);
    const account = await register(await server.ready());
    await eventually(() => notSent(server) === 1, 'the end of the patience', 40_000);
    await rude.close();
    rude = undefined;
    smtp = await SmtpServer.start({ port });
    await clock.set(15);
    await expectOneEach(smtp, [account]);
  });
});
