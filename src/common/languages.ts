import Negotiator from 'negotiator';

/** The languages of Pluto's own pages and mails. */
export const languages = ['en', 'zh', 'ja'] as const;
export type Language = (typeof languages)[number];

// Browsers send well under 200 characters; what is longer is not a list of somebody's languages.
const MAX_HEADER_LENGTH = 1000;

/**
 * The languages a client asks for, most wanted first.
 * @param acceptLanguage the header as it came; wildcards, refused (`q=0`) and malformed entries are left out
 * @returns canonical BCP 47 tags, without duplicates; empty when the header says nothing usable
 * @see RFC 9110 section 12.5.4
 */
export function preferredLanguages(acceptLanguage: string | undefined): string[] {
  if (!acceptLanguage || acceptLanguage.length > MAX_HEADER_LENGTH) return [];
  const wanted = new Negotiator({ headers: { 'accept-language': acceptLanguage } }).languages();
  const tags = wanted.map(parseTag).flatMap((locale) => (locale ? [locale.toString()] : []));
  return [...new Set(tags)];
}

/** The language of Pluto's own texts for a client; English when it reads none of them. */
export function chooseLanguage(acceptLanguage: string | undefined): Language {
  const match = bestMatch(preferredLanguages(acceptLanguage), languages);
  return languages.find((language) => language === match) ?? 'en';
}

/**
 * Picks what a reader can read best: the first preferred language that is available at all, in the form
 * (script, then region) nearest to the wanted one, so that `zh-TW` gets `zh-Hant` before `zh`.
 * @param preferred BCP 47 tags, most wanted first
 * @param available BCP 47 tags to choose from; malformed ones are never chosen
 * @returns an element of `available` as it stands there, or null when nothing matches
 */
export function bestMatch(preferred: readonly string[], available: readonly string[]): string | null {
  if (preferred.length === 0) return null;
  // Done here because @formatjs/intl-localematcher keeps every tag it has ever seen in a cache without bound,
  // and these tags come from strangers.
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
    return new Intl.Locale(tag);
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

const MAX_TAG_LENGTH = 64;

/** The canonical form of a BCP 47 language tag (RFC 5646 section 4.5); null for what is none. */
export function canonicalLanguageTag(tag: string): string | null {
  const canonical = tag.length <= MAX_TAG_LENGTH ? parseTag(tag)?.toString() : undefined;
  return canonical !== undefined && canonical.length <= MAX_TAG_LENGTH ? canonical : null;
}
