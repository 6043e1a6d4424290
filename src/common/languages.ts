import Negotiator from 'negotiator';

/** The languages of Pluto's own pages and mails. */
export const languages = ['en', 'zh', 'ja'] as const;
export type Language = (typeof languages)[number];

// Browsers send well under 200 characters; a longer header is not a real list of languages.
const MAX_HEADER_LENGTH = 1000;

/**
 * The languages a client prefers, best first.
 * @param acceptLanguage the header as received; wildcards, refused (`q=0`) and malformed entries are skipped
 * @returns canonical BCP 47 tags, without duplicates; empty without a usable entry
 * @see RFC 9110 section 12.5.4
 */
export function preferredLanguages(acceptLanguage: string | undefined): string[] {
  if (!acceptLanguage || acceptLanguage.length > MAX_HEADER_LENGTH) return [];
  const wanted = new Negotiator({ headers: { 'accept-language': acceptLanguage } }).languages();
  const tags = wanted.map(parseTag).flatMap((locale) => (locale ? [locale.toString()] : []));
  return [...new Set(tags)];
}

/** The language of Pluto's own texts for a client; English if none of its languages is available. */
export function chooseLanguage(acceptLanguage: string | undefined): Language {
  const match = bestMatch(preferredLanguages(acceptLanguage), languages);
  return languages.find((language) => language === match) ?? 'en';
}

/**
 * Picks the best language for a reader: the first preferred language that is available, in the form
 * (script, then region) nearest to the wanted one, so that `zh-TW` gets `zh-Hant` before `zh`.
 * @param preferred BCP 47 tags, best first
 * @param available BCP 47 tags to choose from; malformed ones are never chosen
 * @returns an element of `available`, unchanged, or null if nothing matches
 */
export function bestMatch(preferred: readonly string[], available: readonly string[]): string | null {
  if (preferred.length === 0) return null;
  // Not @formatjs/intl-localematcher: it keeps every tag in an unbounded cache, and these tags come from
  // strangers.
  const candidates = available.map((tag) => ({ tag, locale: parseTag(tag) }));
  for (const wantedTag of preferred) {
    const wanted = parseTag(wantedTag);
    if (!wanted) continue;
    const [nearest] = candidates
      .map(({ tag, locale }) => ({ tag, score: locale ? closeness(wanted, locale) : 0 }))
      .sort((a, b) => b.score - a.score);
    if (nearest && nearest.score > 0) return nearest.tag;
  }
  return null;
}

function closeness(wanted: Intl.Locale, offered: Intl.Locale): number {
  if (wanted.toString() === offered.toString()) return 8;
  const [a, b] = [wanted.maximize(), offered.maximize()];
  if (a.language !== b.language) return 0;
  return 1 + (a.script === b.script ? 4 : 0) + (a.region === b.region ? 2 : 0);
}

function parseTag(tag: string): Intl.Locale | null {
  try {
    // Apps on Android and in Java write `zh_CN`.
    return new Intl.Locale(tag.replaceAll('_', '-'));
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

const MAX_TAG_LENGTH = 64;

/** The canonical form of a BCP 47 language tag (RFC 5646 section 4.5); null if it is not one. */
export function canonicalLanguageTag(tag: string): string | null {
  const canonical = tag.length <= MAX_TAG_LENGTH ? parseTag(tag)?.toString() : undefined;
  return canonical !== undefined && canonical.length <= MAX_TAG_LENGTH ? canonical : null;
}
