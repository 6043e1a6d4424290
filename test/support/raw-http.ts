import { connect } from 'node:net';
import { startTestApp, type TestApp } from './app.js';
import type { Answer } from './client.js';
import { eventually } from './eventually.js';

/** Words of frameworks, databases and stack traces, which no response may contain. */
export const LIBRARY_TEXT =
  /\bat .+\.(?:js|ts)|node_modules|fastify|FST_|nest|typeorm|sqlite|mysql|maria|SELECT|INSERT|QueryFailed|Cannot (?:GET|POST)|Error:/i;

export function expectFailure(answer: Answer, status: number, code: number): void {
  expect(answer.json).toEqual({ status: 'error', error: { code, message: expect.any(String) } });
  expect([answer.status, answer.code]).toEqual([status, code]);
  expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
  expect(answer.text).not.toMatch(LIBRARY_TEXT);
}

export function expectPage(answer: Answer, status: number): void {
  expect(answer.status).toBe(status);
  expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(answer.text).toMatch(/^<!doctype html>/);
  expect(answer.text).not.toMatch(LIBRARY_TEXT);
}

interface LogLine {
  msg: string;
  level: string;
  time: string;
  address?: string;
  application?: string;
  requestId?: string;
  route?: string;
  method?: string;
  status?: number;
}

export function logLines(app: TestApp): LogLine[] {
  return app
    .log()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as LogLine);
}

/** What the log says of a request, whose own line is written once the answer is out. */
export function linesOf(app: TestApp, id: string | null): Promise<LogLine[]> {
  return eventually(() => {
    const lines = logLines(app).filter(({ requestId }) => requestId === id);
    return lines.some(({ msg }) => msg === 'request') && lines;
  }, `the access log line of ${id}`);
}

/** Sends bytes as they are, and returns all that comes back. */
export function sendRaw(app: TestApp, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(app.url).port), '127.0.0.1', () => socket.write(bytes));
    let answer = '';
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => (answer += text));
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
  });
}

export let app: TestApp;

/** Starts a server. */
export function useServer(): void {
  beforeAll(async () => (app = await startTestApp()));
  afterAll(() => app.close());
  afterEach(() => jest.restoreAllMocks());
}
