/** So many tries in so many seconds. */
export interface RequestLimit {
  tries: number;
  seconds: number;
}

const minute = 60;
const hour = 3600;

/** Every limit with its default: what is counted, by what. */
export const defaultLimits = {
  /** Logins by password, right or wrong, by address. */
  'login-address': { tries: 100, seconds: minute },
  /** Wrong passwords from devices that the account does not know, by address. */
  'login-failures': { tries: 60, seconds: 15 * minute },
  /** Wrong passwords from devices that the account does not know, by mail or handle. */
  'login-account': { tries: 10, seconds: 15 * minute },
  /** Wrong passwords from one device that the account knows. */
  'login-device': { tries: 10, seconds: 15 * minute },
  /** Sign-ins and bindings with Google, Apple and WeChat, by address. */
  'provider-address': { tries: 60, seconds: minute },
  /** Registrations, by address. */
  'register-address': { tries: 100, seconds: hour },
  /** Requests for mails, by address. */
  'mail-address': { tries: 60, seconds: hour },
  /** Confirming mails, and reset mails by themselves, to one mail address for one application. */
  'mail-recipient': { tries: 5, seconds: hour },
  /** Uses of mailed links, by address. */
  'link-address': { tries: 60, seconds: 10 * minute },
  /** Refreshes, by address. */
  'refresh-address': { tries: 1200, seconds: minute },
  /** Refreshes of one session. */
  'refresh-session': { tries: 60, seconds: minute },
  /** OAuth clients that one account registers. */
  'client-register': { tries: 20, seconds: 24 * hour },
  /** Token requests of OAuth clients, by address. */
  'client-address': { tries: 1200, seconds: minute },
  /** Wrong client secrets, by address. */
  'client-failures': { tries: 30, seconds: 15 * minute },
} as const satisfies Record<string, RequestLimit>;

export type LimitName = keyof typeof defaultLimits;
export type RequestLimits = Record<LimitName, RequestLimit>;

const MOST_TRIES = 1_000_000;
const MOST_SECONDS = 86_400;

/** Reads `name=tries/seconds` separated by commas; what it does not name keeps its default. */
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
