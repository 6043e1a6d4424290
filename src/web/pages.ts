import { Injectable } from '@nestjs/common';
import { chooseLanguage } from '../common/languages.js';
import { PlutoError } from '../common/errors.js';
import { pathOf, prefersHtml } from '../common/http/requests.js';
import { Views, type InvalidLinkKind, type PageContexts, type PageName } from '../common/views/views.js';
import { ApplicationNamesService } from '../applications/application-names.service.js';
import type { Application } from '../applications/application.entity.js';
import { CsrfService } from './csrf.js';
import { PageAddresses } from './page-addresses.js';
import { answerJson, type EmptyAnswer, type Exchange } from './page.js';

type FormFields = 'action' | 'csrfToken';
type FormName = {
  [Name in PageName]: PageContexts[Name] extends Record<FormFields, string> ? Name : never;
}[PageName];

/** Renders pages in the browser's language, and forms with their CSRF token. */
@Injectable()
export class Pages {
  constructor(
    private readonly views: Views,
    private readonly csrf: CsrfService,
    private readonly addresses: PageAddresses,
    private readonly applicationNames: ApplicationNamesService,
  ) {}

  render<Name extends PageName>({ request }: Exchange, page: Name, context: PageContexts[Name]): string {
    return this.views.renderPage(page, chooseLanguage(request.headers['accept-language']), context);
  }

  /** Renders a form that posts to its own address. */
  renderForm<Name extends FormName>(
    exchange: Exchange,
    page: Name,
    context: Omit<PageContexts[Name], FormFields>,
  ): string {
    return this.renderFormTo(exchange, pathOf(exchange.request.url), page, context);
  }

  /** Renders a form that posts to the given path. */
  renderFormTo<Name extends FormName>(
    exchange: Exchange,
    action: string,
    page: Name,
    context: Omit<PageContexts[Name], FormFields>,
  ): string {
    const fields = { action: this.addresses.of(action), csrfToken: this.csrfToken(exchange, action) };
    return this.render(exchange, page, { ...context, ...fields } as PageContexts[Name]);
  }

  /** @param purpose see `CsrfService.issue` */
  csrfToken({ request, reply }: Exchange, purpose: string): string {
    return this.csrf.issue(request, reply, purpose);
  }

  /** The application's name in the reader's language. */
  nameOf(application: Application, { request }: Exchange): Promise<string> {
    return this.applicationNames.displayName(application, request.headers['accept-language']);
  }

  /** Tells that a form was processed: by a page, or by `{}` to whoever does not prefer HTML. */
  renderDone<Name extends PageName>(
    exchange: Exchange,
    page: Name,
    context: PageContexts[Name],
  ): string | EmptyAnswer {
    return prefersHtml(exchange.request) ? this.render(exchange, page, context) : answerJson(exchange, {});
  }

  /**
   * Prepares to show a form again, with its fault.
   * @throws the fault itself for a client that does not prefer HTML
   */
  refuse({ request, reply }: Exchange, fault: PlutoError): void {
    if (!prefersHtml(request)) throw fault;
    void reply.status(fault.status);
  }

  /**
   * Explains that a link is unknown, used or expired, and what to do next.
   * @throws PlutoError pathNotFound for a client that does not prefer HTML
   */
  renderInvalidLink(exchange: Exchange, kind: InvalidLinkKind): string {
    const message = 'Path not found: the link is unknown, used or expired';
    this.refuse(exchange, new PlutoError('pathNotFound', { message }));
    return this.render(exchange, 'link-invalid', { applicationName: 'Pluto', kind });
  }
}
