import { post, type Call } from './traffic.js';

/** Sessions that are refreshed again and again, each by one request at a time. */
export class SessionChains {
  private free: number[] = [];

  constructor(private readonly tokens: string[]) {}

  /** All are free again: a refresh token whose answer was not waited for is good for the same successor. */
  begin(): void {
    this.free = this.tokens.map((_, chain) => chain);
  }

  next(): Call {
    const chain = this.free.shift();
    if (chain === undefined) throw new Error('more refreshes at once than there are sessions to refresh');
    return {
      ...post('/v1/token/refresh', { refresh_token: this.tokens[chain], app_id: 'pluto' }),
      onAnswer: (text) => {
        const { body } = JSON.parse(text) as { body: { refresh_token: string } };
        this.tokens[chain] = body.refresh_token;
        this.free.push(chain);
      },
    };
  }
}
