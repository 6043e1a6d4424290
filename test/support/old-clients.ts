import sharp from 'sharp';
import { startTestApp, type TestApp } from './app.js';
import { FakeApple } from './apple.js';
import { addApplication } from './applications.js';
import type { Answer, Client } from './client.js';
import { FakeGoogle } from './google.js';
import { FakeWechat } from './wechat.js';

/** The application that the old clients were built for. */
export const APP_ID = 'org.example.reader';

export let app: TestApp;
export let google: FakeGoogle;
export let apple: FakeApple;
export let wechat: FakeWechat;

/** Starts a server that serves the old apps and knows their providers. */
export function useOldClients(env: Record<string, string> = {}): void {
  const providers = () => [google, apple, wechat];
  beforeAll(async () => {
    [google, apple, wechat] = await Promise.all([FakeGoogle.start(), FakeApple.start(), FakeWechat.start()]);
    app = await startTestApp({ env: { ...google.env, ...apple.env, ...wechat.env, ...env } });
    await addApplication(app, { name: APP_ID, roles: { reader: ['read', 'write'], guest: [] } });
  });
  afterEach(() => {
    for (const provider of providers()) provider.assertNothingUnexpected();
  });
  afterAll(async () => {
    await app.close();
    await Promise.all(providers().map((provider) => provider.close()));
  });
}

/** A program with headers of its own, which sends bodies as its library writes them. */
export class OldClient {
  constructor(
    private readonly client: Client,
    private readonly headers: Record<string, string>,
    private readonly contentType: string,
    private readonly write: (body: object) => string = JSON.stringify,
  ) {}

  send(
    method: string,
    path: string,
    { headers = {}, body }: { headers?: Record<string, string>; body?: object } = {},
  ): Promise<Answer> {
    return this.client.request(method, path, {
      headers: { ...this.headers, ...(body && { 'content-type': this.contentType }), ...headers },
      ...(body && { body: this.write(body) }),
    });
  }
}

/** The header that the phone SDKs and the admin app send, with the scheme of the Go servers. */
export const jwt = (token: string) => ({ authorization: `jwt ${token}` });

/** A photo as phones upload it. */
export function photo(): Promise<Buffer> {
  return sharp({ create: { width: 300, height: 300, channels: 3, background: '#c40' } })
    .jpeg()
    .toBuffer();
}

/** Base64 in lines, with every end of a line that the platform's encoder writes. */
export function inLines(bytes: Buffer, length: number, end: string): string {
  return bytes
    .toString('base64')
    .match(new RegExp(`.{1,${length}}`, 'g'))!
    .join(end);
}

/** The second part of a JWT, which the phone SDKs read without verifying it. */
export function payloadOf(token: string): Record<string, unknown> {
  const parts = token.split('.');
  expect(parts).toHaveLength(3);
  return JSON.parse(Buffer.from(parts[1]!, 'base64url').toString()) as Record<string, unknown>;
}
