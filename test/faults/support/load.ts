import { setTimeout as sleep } from 'node:timers/promises';
import { registration, type TestAccount, type Tokens } from '../../support/accounts.js';
import type { Answer, Client } from '../../support/client.js';

/** One in how many requests is of which kind. */
const mix = [
  'info',
  'verify',
  'info',
  'publickey',
  'verify',
  'refresh',
  'info',
  'verify',
  'publickey',
  'info',
  'refresh',
  'verify',
  'login',
  'info',
  'verify',
  'publickey',
  'refresh',
  'info',
  'register',
  'verify',
] as const;
type Kind = (typeof mix)[number];

/**
 * A steady load of people who sign in, look and refresh, each one request after the other; the server has
 * SKIP_REGISTER_VERIFY_MAIL.
 */
export class Load {
  readonly counts: Partial<Record<Kind, number>> = {};
  readonly failures: string[] = [];
  private isOn = true;
  private lanes: Promise<void>[] = [];

  /**
   * @param pauseMs from the beginning of one request to the next of the same person, if it is answered by
   * then
   */
  constructor(
    private readonly client: Client,
    private readonly options: { people: number; pauseMs: number },
  ) {}

  get answered(): number {
    return Object.values(this.counts).reduce((sum, one) => sum + one, 0);
  }

  async begin(): Promise<void> {
    const people = await Promise.all(
      Array.from({ length: this.options.people }, () => Person.register(this.client)),
    );
    this.lanes = people.map((person, index) => this.run(person, index));
  }

  async end(): Promise<void> {
    this.isOn = false;
    await Promise.all(this.lanes);
  }

  private async run(person: Person, index: number): Promise<void> {
    for (let turn = index; this.isOn; turn++) {
      const kind = mix[turn % mix.length]!;
      const pause = sleep(this.options.pauseMs);
      try {
        const { status, text } = await person.ask(kind);
        if (status === 200) this.counts[kind] = (this.counts[kind] ?? 0) + 1;
        else this.failures.push(`${kind}: ${status} ${text}`);
      } catch (error) {
        this.failures.push(`${kind}: ${String(error)} ${String((error as Error).cause)}`);
      }
      await pause;
    }
  }
}

class Person {
  private tokens!: Tokens;

  private constructor(
    private readonly client: Client,
    private readonly account: TestAccount,
  ) {}

  static async register(client: Client): Promise<Person> {
    const person = new Person(client, registration());
    for (const answer of [await client.post('/v1/user/register', person.account), await person.ask('login')])
      if (answer.status !== 200) throw new Error(`no load without people: ${answer.text}`);
    return person;
  }

  async ask(kind: Kind): Promise<Answer> {
    const answer = await this.send(kind);
    if (answer.status === 200 && (kind === 'login' || kind === 'refresh'))
      this.tokens = answer.body as Tokens;
    return answer;
  }

  private send(kind: Kind): Promise<Answer> {
    const { client, account } = this;
    const app_id = 'pluto';
    switch (kind) {
      case 'login':
        return client.post('/v1/user/login/account', {
          account: account.mail,
          password: account.password,
          app_id,
        });
      case 'refresh':
        return client.post('/v1/token/refresh', { refresh_token: this.tokens.refresh_token, app_id });
      case 'info':
        return client.get('/v1/user/info', { token: this.tokens.access_token });
      case 'verify':
        return client.post('/v1/token/access/verify', { token: this.tokens.access_token });
      case 'publickey':
        return client.get('/v1/token/publickey');
      case 'register':
        return client.post('/v1/user/register', registration());
    }
  }
}
