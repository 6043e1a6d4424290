import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PlutoDataSource } from '../../src/database/pluto-data-source.js';
import { signedIn } from '../support/accounts.js';
import { startTestApp, type TestApp } from '../support/app.js';

let app: TestApp;
beforeAll(async () => (app = await startTestApp()));
afterAll(() => app.close());

/** Pipelines requests on one connection. @returns what was received until it closed or went quiet */
async function pipeline(count: number, path: string): Promise<{ answer: string; isEnded: boolean }> {
  const { hostname, port } = new URL(app.url);
  const socket = connect(Number(port), hostname).setEncoding('latin1');
  let answer = '';
  let isEnded = false;
  socket.on('data', (text: string) => (answer += text));
  socket.on('error', () => undefined);
  socket.on('close', () => (isEnded = true));
  socket.write(`GET ${path} HTTP/1.1\r\nHost: pluto\r\n\r\n`.repeat(count));
  for (let waited = 0; waited < 20 && !isEnded; waited++) await sleep(50);
  socket.destroy();
  return { answer, isEnded };
}

const answersIn = (text: string) => text.split('HTTP/1.1 200 OK').length - 1;

describe('pipelined requests', () => {
  it('are answered one after the other if they are few', async () => {
    const { answer, isEnded } = await pipeline(16, '/health/live');
    expect([answersIn(answer), isEnded]).toEqual([16, false]);
  });

  it('close their connection cheaply if they are many', async () => {
    const before = process.memoryUsage().rss;
    const { answer, isEnded } = await pipeline(1800, '/openapi.json');
    expect(isEnded).toBe(true);
    expect(answersIn(answer)).toBeLessThanOrEqual(16);
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024);
    expect((await app.client.get('/health/live')).status).toBe(200);
  });

  it('do not keep the server from stopping when answered at the same moment', async () => {
    const ending = await startTestApp();
    const { token } = await signedIn(ending);
    slowDown(ending.dataSource as PlutoDataSource, 1000);
    const { hostname, port } = new URL(ending.url);
    const socket = connect(Number(port), hostname).setEncoding('latin1');
    let answer = '';
    socket.on('data', (text: string) => (answer += text));
    const isEnded = new Promise<boolean>((resolve) => socket.on('close', () => resolve(true)));
    socket.write(
      `GET /v1/user/info HTTP/1.1\r\nHost: pluto\r\nAuthorization: Bearer ${token}\r\n\r\n`.repeat(2),
    );
    await sleep(200);
    const stopping = ending.stop();
    const isEndedInTime = await Promise.race([isEnded, sleep(5000, false, { ref: false })]);
    socket.destroy();
    await stopping;
    await ending.close();
    expect([answersIn(answer), isEndedInTime]).toEqual([2, true]);
  }, 20_000);
});

/** Delays every read equally, so that reads started together end together. */
function slowDown(dataSource: PlutoDataSource, ms: number): void {
  const read = dataSource.read.bind(dataSource);
  jest.spyOn(dataSource, 'read').mockImplementation(async (sql, parameters) => {
    await sleep(ms);
    return read(sql, parameters);
  });
}
