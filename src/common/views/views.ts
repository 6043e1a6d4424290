import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Injectable } from '@nestjs/common';
import Handlebars from 'handlebars';
import { Settings } from '../../config/settings.js';
import type { Language } from '../languages.js';
import { packageDirectory } from '../package-directory.js';
import { assertTranslated, type Escape, loadCatalogues, translate } from './catalogues.js';
import {
  type MailContexts,
  type MailName,
  mailNames,
  noticeKinds,
  type PageContexts,
  type PageName,
  pageNames,
  type RenderedMail,
} from './contexts.js';
import { formatDate, formatTime } from './date.js';
import { formatDuration } from './duration.js';
import { greetableName, singleLine } from './plain-text.js';
import { TemplateCheck } from './template-check.js';

export type {
  ErrorReason,
  InvalidLinkKind,
  LoginError,
  MailContexts,
  MailName,
  NoticeKind,
  PageContexts,
  PageName,
  PasswordResetError,
  RenderedMail,
  SignInMethod,
  UndoKind,
} from './contexts.js';

/** The folder with templates, texts and assets, the same from `src` and from `dist/src`. */
export const viewsDirectory = join(packageDirectory, 'views');

type Engine = typeof Handlebars;
type Template = HandlebarsTemplateDelegate<unknown>;

// Screen readers and fonts distinguish simplified and traditional Chinese by the script.
const htmlLanguage: Record<Language, string> = { en: 'en', zh: 'zh-Hans', ja: 'ja' };

const asIs: Escape = (text) => text;
const escapeHtml: Escape = (text) => Handlebars.escapeExpression(text);

/** Renders the hosted pages and the mails from `views/`, in the reader's language. */
@Injectable()
export class Views {
  private readonly catalogues = loadCatalogues(join(viewsDirectory, 'locales'));
  private readonly html = this.createEngine(escapeHtml);
  private readonly plain = this.createEngine(asIs);
  private readonly partialPaths = ['layouts', 'partials'].flatMap((folder) =>
    readdirSync(join(viewsDirectory, folder)).map((file) => `${folder}/${file}`),
  );
  private readonly pages: Record<PageName, Template>;
  private readonly mails: Record<MailName, { html: Template; text: Template }>;

  private readonly base: string;

  /** @throws Error when a template is missing or malformed, or a text is missing in one of the languages */
  constructor({ publicPath }: Settings) {
    this.base = publicPath;
    for (const path of this.partialPaths) this.registerPartial(path);
    this.pages = table(pageNames, (name) => this.load(this.html, `pages/${name}.hbs`));
    this.mails = table(mailNames, (name) => ({
      html: this.load(this.html, `mail/${name}.html.hbs`),
      text: this.load(this.plain, `mail/${name}.text.hbs`),
    }));
    for (const key of subjectKeys) assertTranslated(this.catalogues, key, ['applicationName']);
  }

  /** @returns a complete HTML document, which loads only the style sheets and the icon in `/web/assets` */
  renderPage<Name extends PageName>(page: Name, language: Language, context: PageContexts[Name]): string {
    return this.pages[page](context, { data: { ...templateData(language), base: this.base } });
  }

  /** @returns the subject on one line, and the body as an HTML document and as plain text */
  renderMail<Name extends MailName>(
    mail: Name,
    language: Language,
    context: MailContexts[Name],
  ): RenderedMail {
    const { applicationName, userName } = context;
    const safe = { ...context, userName: greetableName(userName) };
    const options = { data: templateData(language) };
    return {
      subject: singleLine(
        translate(this.catalogues[language], subjectKey(mail, context), { applicationName }, asIs),
      ),
      html: this.mails[mail].html(safe, options),
      text: this.mails[mail].text(safe, options),
    };
  }

  private createEngine(escape: Escape): Engine {
    const engine = Handlebars.create();
    const text = (key: string, options: Handlebars.HelperOptions) => {
      const { language } = options.data as { language: Language };
      const values = options.hash as Record<string, unknown>;
      return new Handlebars.SafeString(translate(this.catalogues[language], key, values, escape));
    };
    engine.registerHelper({
      t: text,
      tVariant: (prefix: string, variant: string, options: Handlebars.HelperOptions) =>
        text(`${prefix}.${variant}`, options),
      eq: (a: unknown, b: unknown) => a === b,
      initial: (name: string) => [...name.trim()][0]?.toUpperCase() ?? '',
      duration: (seconds: number, options: Handlebars.HelperOptions) =>
        formatDuration(seconds, (options.data as { language: Language }).language),
      date: (at: number, options: Handlebars.HelperOptions) =>
        formatDate(at, (options.data as { language: Language }).language),
      time: (at: number, options: Handlebars.HelperOptions) =>
        formatTime(at, (options.data as { language: Language }).language),
    });
    return engine;
  }

  private registerPartial(path: string): void {
    const engine = path.endsWith('.text.hbs') ? this.plain : this.html;
    engine.registerPartial(partialName(path), this.load(engine, path));
  }

  private load(engine: Engine, path: string): Template {
    try {
      const syntaxTree = engine.parse(readFileSync(join(viewsDirectory, path), 'utf8'));
      new TemplateCheck(this.catalogues, this.partialPaths.map(partialName)).accept(syntaxTree);
      return engine.compile(syntaxTree, { strict: true, noEscape: engine === this.plain });
    } catch (cause) {
      throw new Error(`views/${path} is invalid`, { cause });
    }
  }
}

function templateData(language: Language) {
  return { language, htmlLanguage: htmlLanguage[language] };
}

function subjectKey(mail: MailName, context: object): string {
  return 'kind' in context ? `mail.${mail}.subject.${String(context.kind)}` : `mail.${mail}.subject`;
}

const subjectKeys = mailNames.flatMap((mail) =>
  mail === 'security-notice' ? noticeKinds.map((kind) => subjectKey(mail, { kind })) : [subjectKey(mail, {})],
);

function partialName(path: string): string {
  return basename(path, '.hbs');
}

function table<Name extends string, Value>(
  names: readonly Name[],
  make: (name: Name) => Value,
): Record<Name, Value> {
  return Object.fromEntries(names.map((name) => [name, make(name)])) as Record<Name, Value>;
}
