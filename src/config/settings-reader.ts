import { readFileSync } from 'node:fs';
import { allOrNone, contradictions, requiredWith } from './setting-contradictions.js';
import type { Kind } from './setting-kinds.js';
import { type SettingValues, settingTable } from './setting-table.js';
import { Variable } from './setting-variable.js';
import { UnfitValue } from './unfit-value.js';

/** Reads variables one by one and records which were set and which are invalid. */
export class SettingsReader {
  private readonly texts = new Map<string, string>();
  private readonly given = new Set<string>();
  private readonly faults = new Map<string, string[]>();

  constructor(private readonly env: NodeJS.ProcessEnv) {}

  /** The values of the table; use them only if `allFaults` then returns none. */
  read(): SettingValues {
    return this.readEntries(settingTable) as SettingValues;
  }

  allFaults(values: SettingValues): string[] {
    const contradicted = contradictions
      .filter(({ between, holds }) => !between.some((name) => this.faults.has(name)) && holds(values))
      .map(({ between, fault }) => `${between[0]} ${fault}`);
    return [
      ...[...this.faults.values()].flat(),
      ...contradicted,
      ...this.incompleteSets(),
      ...this.missing(),
    ];
  }

  private readEntries(entries: object): Record<string, unknown> {
    const values = Object.entries(entries).map(([property, entry]: [string, object]) => [
      property,
      entry instanceof Variable ? this.readVariable(entry as Variable<unknown>) : this.readEntries(entry),
    ]);
    return Object.fromEntries(values) as Record<string, unknown>;
  }

  private readVariable(variable: Variable<unknown>): unknown {
    const { name, kind } = variable;
    const fallback = variable.defaultText((other) => this.texts.get(other) ?? '');
    const text = this.find(name) ?? fallback;
    const value = text === undefined ? variable.absent?.() : this.parse(name, kind, text);
    const isRefused = text !== undefined && value === undefined;
    // After a fault the default is used, so that variables derived from this one are not reported as well.
    const standing = isRefused ? fallback : text;
    if (standing !== undefined) this.texts.set(name, standing);
    return value;
  }

  private parse<T>(name: string, kind: Kind<T>, text: string): T | undefined {
    try {
      const value = kind.parse(text);
      if (value === undefined) this.refuse(name, `must be ${kind.mustBe}`);
      return value;
    } catch (error) {
      if (!(error instanceof UnfitValue)) throw error;
      this.refuse(name, error.message);
      return undefined;
    }
  }

  private find(name: string): string | undefined {
    const text = this.env[name] || undefined;
    const file = this.env[`${name}_FILE`] || undefined;
    if (text !== undefined || file !== undefined) this.given.add(name);
    if (file === undefined) return text;
    if (text === undefined) return this.readSecretFile(name, file);
    this.refuse(name, `and ${name}_FILE are both set; set only one of them`);
    return undefined;
  }

  // The path is not shown either: someone may have put the secret itself there.
  private readSecretFile(name: string, path: string): string | undefined {
    try {
      const text = readFileSync(path, 'utf8').replace(/\r?\n$/, '');
      if (text) return text;
      this.refuse(name, `cannot be read: the file in ${name}_FILE is empty`);
    } catch (error) {
      const reason = (error as NodeJS.ErrnoException).code;
      this.refuse(name, `cannot be read from the file in ${name}_FILE (${reason})`);
    }
    return undefined;
  }

  private incompleteSets(): string[] {
    return allOrNone.flatMap((names) => {
      const known = names.find((name) => this.given.has(name));
      const missing = names.filter((name) => !this.given.has(name));
      return known ? missing.map((name) => `${name} is required with ${known}`) : [];
    });
  }

  private missing(): string[] {
    return requiredWith
      .filter(({ other }) => this.given.has(other) && !this.faults.has(other))
      .filter(({ name }) => !this.given.has(name))
      .map(({ name, other, hint }) => `${name} is required with ${other}: ${hint}`);
  }

  private refuse(name: string, fault: string): void {
    this.faults.set(name, [...(this.faults.get(name) ?? []), `${name} ${fault}`]);
  }
}
