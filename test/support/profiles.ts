import { existsSync, readdirSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import sharp from 'sharp';
import { startTestApp, type TestApp } from './app.js';
import { addApplication, type TestApplication } from './applications.js';
import { type Answer } from './client.js';
import { thawClock } from './clock.js';
import { decodeToken } from './tokens.js';

export const PUBLIC_URL = 'http://pluto.test';

export let app: TestApp;
export let shop: TestApplication;

export function info(token: string): Promise<Answer> {
  return app.client.get('/v1/user/info', { token });
}

export function update(token: string, change: unknown): Promise<Answer> {
  return app.client.put('/v1/user/info', change, { token });
}

export function idOf(token: string): number {
  return decodeToken(token).claims.sub;
}

export const plain = (width = 8) =>
  sharp({ create: { width, height: width, channels: 3, background: { r: 255, g: 0, b: 0 } } });
export const png = () => plain().png().toBuffer();

export const avatarFolder = () => join(app.dataDir, 'avatars');
export const storedAvatars = () => (existsSync(avatarFolder()) ? readdirSync(avatarFolder()) : []);
export const pathOf = (avatar: string) => avatar.slice(PUBLIC_URL.length);

export async function avatarOf(token: string): Promise<string> {
  return (await info(token)).body.avatar as string;
}

/** Sends a target as it is, where fetch would tidy it up. */
export function getRaw(target: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(app.url);
    request({ hostname, port, path: target }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }),
      );
    })
      .on('error', reject)
      .end();
  });
}

/** Starts a server with the applications that the tests of profiles use. */
export function useProfiles(): void {
  beforeAll(async () => {
    app = await startTestApp();
    shop = await addApplication(app, {
      name: 'org.example.shop',
      roles: { customer: ['shop.buy'], guest: ['shop.look'] },
    });
  });
  afterAll(() => app.close());
  afterEach(thawClock);
}
