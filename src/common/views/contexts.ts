/** The forms a text takes by a value of the context: catalogue key prefix → last part of the key. */
export const variants = {
  'password-reset.error': ['tooShort', 'tooLong', 'mismatch'],
  'link-invalid.next': ['verify', 'reset'],
  'error.title': ['server', 'badRequest', 'tooManyRequests', 'forbidden', 'csrf', 'tooLarge', 'unavailable'],
  'error.text': ['server', 'badRequest', 'tooManyRequests', 'forbidden', 'csrf', 'tooLarge', 'unavailable'],
} as const satisfies Record<string, readonly string[]>;

export type PasswordResetError = (typeof variants)['password-reset.error'][number];
export type InvalidLinkKind = (typeof variants)['link-invalid.next'][number];
export type ErrorReason = (typeof variants)['error.title'][number];

interface Page {
  /** Shown as the owner of the page, in the reader's language. */
  applicationName: string;
}

interface FormPage extends Page {
  /** Where the form posts to: the page's own address. */
  action: string;
  csrfToken: string;
}

interface VerifyMailPage extends FormPage {
  mail: string;
  userName: string;
  /** Without the `@`. */
  handle: string;
}

interface MailPage extends Page {
  mail: string;
}

interface PasswordResetPage extends FormPage {
  mail: string;
  error?: PasswordResetError | undefined;
}

interface LinkInvalidPage extends Page {
  kind: InvalidLinkKind;
}

interface ErrorPage extends Page {
  status: number;
  requestId: string;
  reason: ErrorReason;
}

/** What each page needs to be rendered; a page's name is its file in `views/pages`. */
export interface PageContexts {
  'verify-mail': VerifyMailPage;
  'verify-mail-done': MailPage;
  'verify-mail-already': MailPage;
  'password-reset': PasswordResetPage;
  'password-reset-done': Page;
  'link-invalid': LinkInvalidPage;
  error: ErrorPage;
  'not-found': Page;
}

interface LinkMail {
  applicationName: string;
  /** As the account's owner wrote it, who may be a stranger to the mail's reader. */
  userName: string;
  /** Absolute address. */
  link: string;
  /** Lifetime of the link; the text tells it in the largest unit that fits. */
  validSeconds: number;
}

/** What each mail needs to be rendered; a mail's name is its pair of files in `views/mail`. */
export interface MailContexts {
  'verify-mail': LinkMail;
  'password-reset': LinkMail;
}

export interface RenderedMail {
  subject: string;
  html: string;
  text: string;
}

export const pageNames = [
  'verify-mail',
  'verify-mail-done',
  'verify-mail-already',
  'password-reset',
  'password-reset-done',
  'link-invalid',
  'error',
  'not-found',
] as const satisfies readonly (keyof PageContexts)[];

export const mailNames = ['verify-mail', 'password-reset'] as const satisfies readonly (keyof MailContexts)[];

export type PageName = (typeof pageNames)[number];
export type MailName = (typeof mailNames)[number];
