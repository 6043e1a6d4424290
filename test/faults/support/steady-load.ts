import { setTimeout as sleep } from 'node:timers/promises';
import { registration } from '../../support/accounts.js';
import type { Answer, Client } from '../../support/client.js';

export interface Sample {
  flow: string;
  status: number;
  code: number;
  /** By performance.now(). */
  begun: number;
  ended: number;
}

interface Credentials {
  account: string;
  password: string;
}

const PAUSE_MS = 25;
const CHAINS = 4;

/** What keeps on calling a server, and notes every answer. */
export class SteadyLoad {
  readonly samples: Sample[] = [];
  private isOver = false;
  private loops: Promise<void>[] = [];
  private readonly refreshTokens: string[] = [];

  constructor(
    private readonly client: Client,
    private readonly admin: Credentials,
  ) {}

  async begin(): Promise<void> {
    const { access_token: token } = await this.logIn();
    for (let chain = 0; chain < CHAINS; chain++) this.refreshTokens.push((await this.logIn()).refresh_token);
    const { client } = this;
    const flows: Record<string, () => Promise<Answer>> = {
      login: () => client.post('/v1/user/login/account', { ...this.admin, app_id: 'pluto' }),
      register: () => client.post('/v1/user/register', registration()),
      info: () => client.get('/v1/user/info', { token }),
      rename: () => client.put('/v1/user/info', { name: `Name ${Math.random()}` }, { token }),
      search: () => client.get('/v1/user/search?name=user', { token }),
      verifyGet: () => client.get(`/v1/token/access/verify?token=${token}`),
      verifyPost: () => client.post('/v1/token/access/verify', { token }),
      publicKey: () => client.get('/v1/token/publickey'),
      keySet: () => client.get('/.well-known/jwks.json'),
      healthcheck: () => client.get('/v1/healthcheck'),
      ready: () => client.get('/health/ready'),
      live: () => client.get('/health/live'),
    };
    for (let chain = 0; chain < CHAINS; chain++) flows[`refresh ${chain}`] = () => this.refresh(chain);
    this.loops = Object.entries(flows).map(([flow, ask]) => this.repeat(flow, ask));
  }

  async end(): Promise<void> {
    this.isOver = true;
    await Promise.all(this.loops);
  }

  of(...flows: string[]): Sample[] {
    return this.samples.filter(({ flow }) => flows.includes(flow));
  }

  /**
   * Every chain of refreshes, once more: with the token that the last answer gave, which may be an older one.
   */
  refreshAll(): Promise<Answer[]> {
    return Promise.all(this.refreshTokens.map((_, chain) => this.refresh(chain)));
  }

  private async logIn(): Promise<{ access_token: string; refresh_token: string }> {
    const answer = await this.client.post('/v1/user/login/account', { ...this.admin, app_id: 'pluto' });
    if (answer.status !== 200) throw new Error(answer.text);
    return answer.body as Awaited<ReturnType<SteadyLoad['logIn']>>;
  }

  private async refresh(chain: number): Promise<Answer> {
    const answer = await this.client.post('/v1/token/refresh', {
      refresh_token: this.refreshTokens[chain],
      app_id: 'pluto',
    });
    if (answer.status === 200) this.refreshTokens[chain] = answer.body.refresh_token as string;
    return answer;
  }

  private async repeat(flow: string, ask: () => Promise<Answer>): Promise<void> {
    while (!this.isOver) {
      const begun = performance.now();
      const { status, code } = await ask();
      this.samples.push({ flow, status, code, begun, ended: performance.now() });
      await sleep(PAUSE_MS);
    }
  }
}
