import type { TestOAuthClient } from '../../../support/oauth.js';
import type { KnownAccount, World } from './world.js';

export interface Scene {
  /** By name, whatever the place. */
  fields: Record<string, unknown>;
  /** Fields that the document need not know: what a page's form holds. */
  hidden?: Record<string, string>;
  authorization?: string;
  cookie?: string;
  accept?: string;
  account?: KnownAccount;
  client?: TestOAuthClient;
}

/** Says what a good request to a route is; `at`, from 0 to 1, which accounts and applications it is about. */
export type SceneMaker = (world: World, at: number) => Scene | Promise<Scene>;

/** One of them, the same for the same `at`; the lists are never empty where this is used. */
export function pick<T>(list: readonly T[], at: number): T {
  return list[Math.floor(at * list.length) % list.length]!;
}

/** Another number of the same kind, for a choice that does not hang together with the first. */
export function again(at: number): number {
  return (at * 6007) % 1;
}

/** The last one, which nobody else gets. */
export function take<T>(list: T[]): T | undefined {
  return list.pop();
}

export const bearer = (token: string): string => `Bearer ${token}`;

export const asAdministrator = (world: World, fields: Record<string, unknown>): Scene => ({
  fields,
  authorization: bearer(world.admin.token),
});

export const asUser = (world: World, at: number, fields: Record<string, unknown> = {}): Scene => {
  const account = pick(world.users, at);
  return { fields, account, authorization: bearer(account.accessToken) };
};
