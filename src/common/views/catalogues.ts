import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Language, languages } from '../languages.js';
import { singleLine } from './plain-text.js';

const PLACEHOLDER = /\{(\w+)\}/g;

type Catalogue = Readonly<Record<string, string>>;
export type Catalogues = Readonly<Record<Language, Catalogue>>;
export type Escape = (text: string) => string;

/** Reads the texts of all languages from `{language}.json`: key → sentence with `{placeholders}`. */
export function loadCatalogues(directory: string): Catalogues {
  const load = (language: Language) =>
    JSON.parse(readFileSync(join(directory, `${language}.json`), 'utf8')) as Catalogue;
  return { en: load('en'), zh: load('zh'), ja: load('ja') };
}

/**
 * Fills a sentence of the catalogue. The sentence is trusted and may contain markup; the values are not.
 * @throws Error when the key or a value is missing
 */
export function translate(
  catalogue: Catalogue,
  key: string,
  values: Record<string, unknown>,
  escape: Escape,
): string {
  return sentence(catalogue, key).replace(PLACEHOLDER, (_match, name: string) => {
    const value = values[name];
    if (typeof value !== 'string' && typeof value !== 'number')
      throw new Error(`"${key}" lacks the value of {${name}}`);
    return escape(singleLine(String(value)));
  });
}

/**
 * Checks that a text exists in every language and uses exactly the placeholders it is given.
 * @throws Error otherwise
 */
export function assertTranslated(catalogues: Catalogues, key: string, placeholders: readonly string[]): void {
  const given = [...placeholders].sort().join();
  for (const language of languages) {
    const used = placeholdersOf(sentence(catalogues[language], key)).join();
    if (used !== given) throw new Error(`"${key}" (${language}) uses {${used}} but is given {${given}}`);
  }
}

/** The names of a sentence's placeholders, sorted, each once. */
export function placeholdersOf(text: string): string[] {
  return [...new Set([...text.matchAll(PLACEHOLDER)].map(([, name]) => name ?? ''))].sort();
}

function sentence(catalogue: Catalogue, key: string): string {
  const text = Object.hasOwn(catalogue, key) ? catalogue[key] : undefined;
  if (text === undefined) throw new Error(`No text "${key}" in the catalogue`);
  return text;
}
