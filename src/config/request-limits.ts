/** Maximum number of tries within a number of seconds. */
export interface RequestLimit {
  tries: number;
  seconds: number;
}

const minute = 60;
const hour = 3600;

/** Every limit with its default: what is counted, and per what. */
export const defaultLimits = {
  /** Password logins, successful or not, per address. */
  'login-address': { tries: 100, seconds: minute },
  /** Wrong passwords from devices unknown to the account, per address. */
  'login-failures': { tries: 60, seconds: 15 * minute },
  /** Wrong passwords from devices unknown to the account, per mail or handle as it was typed. */
  'login-typed': { tries: 10, seconds: 15 * minute },
  /** Wrong passwords from devices unknown to the account, per account. */
  'login-account': { tries: 10, seconds: 15 * minute },
  /** Wrong passwords from one known device of the account. */
  'login-device': { tries: 10, seconds: 15 * minute },
  /** Sign-ins and bindings with Google, Apple and WeChat, per address. */
  'provider-address': { tries: 60, seconds: minute },
  /** Registrations, per address. */
  'register-address': { tries: 100, seconds: hour },
  /** Requests for mails, per address. */
  'mail-address': { tries: 60, seconds: hour },
  /** Confirmation mails, and separately reset mails, per caller's address, mail address and application. */
  'mail-recipient': { tries: 5, seconds: hour },
  /** Pictures, which take long to decode, per account. */
  'avatar-account': { tries: 20, seconds: hour },
  /** The same of all callers together, per mail address and application. */
  'mail-mailbox': { tries: 30, seconds: hour },
  /** Uses of mailed links, per address. */
  'link-address': { tries: 60, seconds: 10 * minute },
  /** Refreshes, per address. */
  'refresh-address': { tries: 1200, seconds: minute },
  /** Refreshes, per session. */
  'refresh-session': { tries: 60, seconds: minute },
  /** OAuth client registrations, per account. */
  'client-register': { tries: 20, seconds: 24 * hour },
  /** Token requests of OAuth clients, per address. */
  'client-address': { tries: 1200, seconds: minute },
  /** Wrong client secrets, per address. */
  'client-failures': { tries: 30, seconds: 15 * minute },
  /** Wrong client secrets, per client; refuses only addresses that `client-guess` refuses, too. */
  'client-guesses': { tries: 60, seconds: 15 * minute },
  /** Wrong client secrets, per client and address, after which `client-guesses` is for that address, too. */
  'client-guess': { tries: 1, seconds: 15 * minute },
} as const satisfies Record<string, RequestLimit>;

export type LimitName = keyof typeof defaultLimits;
export type RequestLimits = Record<LimitName, RequestLimit>;

const MOST_TRIES = 1_000_000;
const MOST_SECONDS = 86_400;

/** Reads `name=tries/seconds` separated by commas; other limits keep their defaults. */
export function parseLimits(text: string): RequestLimits | undefined {
  const limits: RequestLimits = { ...defaultLimits };
  for (const part of text.split(',')) {
    const [, name = '', tries, seconds] = /^\s*([a-z-]+)=(\d{1,7})\/(\d{1,5})\s*$/.exec(part) ?? [];
    const limit = { tries: Number(tries), seconds: Number(seconds) };
    if (!Object.hasOwn(defaultLimits, name) || !isPossible(limit)) return undefined;
    limits[name as LimitName] = limit;
  }
  return limits;
}

function isPossible({ tries, seconds }: RequestLimit): boolean {
  return tries >= 1 && tries <= MOST_TRIES && seconds >= 1 && seconds <= MOST_SECONDS;
}
