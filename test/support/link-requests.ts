import { LinkRequest } from '../../src/auth/links/link-request.entity.js';
import { OneTimeToken } from '../../src/auth/links/one-time-token.entity.js';
import type { TestApp } from './app.js';
import { eventually } from './eventually.js';

/** Waits until all requests for links are answered. */
export async function linksAreQueued({ dataSource }: Pick<TestApp, 'dataSource'>): Promise<void> {
  await eventually(async () => (await dataSource.manager.count(LinkRequest)) === 0, 'answering the requests');
}

/** The number of links ever mailed: that it stays says that nothing was sent. */
export async function countLinksOf(app: Pick<TestApp, 'dataSource'>): Promise<number> {
  await linksAreQueued(app);
  return app.dataSource.manager.count(OneTimeToken);
}
