import { Injectable } from '@nestjs/common';
import { Settings } from '../config/settings.js';
import { ownPage } from './next-page.js';

/**
 * The addresses of pages as browsers see them: PUBLIC_URL may have a path, which the proxy in front removes
 * from requests. Everywhere else in the server, paths are without it.
 */
@Injectable()
export class PageAddresses {
  private readonly base: string;

  constructor({ publicPath }: Settings) {
    this.base = publicPath;
  }

  /** @param path of this server, with its query */
  of(path: string): string {
    return this.base + path;
  }

  /** Like `ownPage`; what a request names may begin with the path of PUBLIC_URL. */
  ownPage(text: unknown): string {
    const isPublic = this.base !== '' && typeof text === 'string' && text.startsWith(`${this.base}/web/`);
    return ownPage(isPublic ? text.slice(this.base.length) : text);
  }
}
