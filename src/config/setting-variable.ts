import { type Kind, listOf } from './setting-kinds.js';

/** The text of a variable declared earlier, as set or by default. */
export type TextOf = (name: string) => string;

/** Name, kind, default and meaning of one environment variable. */
export class Variable<T> {
  constructor(
    readonly name: string,
    readonly kind: Kind<T>,
    readonly meaning: string,
    private readonly fallback?: string | ((textOf: TextOf) => string),
    /** The value when the variable is unset and has no default text. */
    readonly absent?: () => T,
  ) {}

  /** The default as it would be written in the environment; undefined without one. */
  defaultText(textOf: TextOf): string | undefined {
    return typeof this.fallback === 'function' ? this.fallback(textOf) : this.fallback;
  }
}

export function variable<T>(
  name: string,
  kind: Kind<T>,
  fallback: string | ((textOf: TextOf) => string),
  meaning: string,
): Variable<T> {
  return new Variable(name, kind, meaning, fallback);
}

/** A variable whose default depends on the machine, as its meaning explains. */
export function variableBy<T>(name: string, kind: Kind<T>, absent: () => T, meaning: string): Variable<T> {
  return new Variable(name, kind, meaning, undefined, absent);
}

export function optional<T>(name: string, kind: Kind<T>, meaning: string): Variable<T | undefined> {
  return new Variable<T | undefined>(name, kind, meaning);
}

export function list(name: string, item: Kind<string>, meaning: string): Variable<string[]> {
  return new Variable(name, listOf(item), meaning, undefined, () => []);
}
