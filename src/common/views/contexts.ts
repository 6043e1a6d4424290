/** Why a browser gets an error page. */
const errorReasons = [
  'server',
  'badRequest',
  'tooManyRequests',
  'forbidden',
  'csrf',
  'tooLarge',
  'unavailable',
  'application',
  'client',
  'redirectUri',
  'signIn',
] as const;

/** Variants of a text by a value of the context: catalogue key prefix → last part of the key. */
export const variants = {
  'password-reset.error': ['tooShort', 'tooLong', 'common', 'personal', 'mismatch'],
  'link-invalid.next': ['verify', 'reset'],
  'verify-mail-contested.field': ['password', 'handle'],
  'verify-mail-contested.error': ['password', 'handle'],
  'login.error': ['invalidPassword', 'mailNotVerified'],
  'error.title': errorReasons,
  'error.text': errorReasons,
} as const satisfies Record<string, readonly string[]>;

export type PasswordResetError = (typeof variants)['password-reset.error'][number];
export type LoginError = (typeof variants)['login.error'][number];
export type InvalidLinkKind = (typeof variants)['link-invalid.next'][number];
export type ErrorReason = (typeof variants)['error.title'][number];

interface Page {
  /** Shown as the owner of the page, in the reader's language. */
  applicationName: string;
}

interface FormPage extends Page {
  /** Where the form posts to: the page's own URL. */
  action: string;
  csrfToken: string;
}

interface VerifyMailPage extends FormPage {
  mail: string;
  userName: string;
  /** Without the `@`. */
  handle: string;
}

interface ContestedMailPage extends FormPage {
  mail: string;
  /** Without the `@`; `''` where it must be entered. */
  handle: string;
  proof: (typeof variants)['verify-mail-contested.field'][number];
  isWrong: boolean;
}

interface MailPage extends Page {
  mail: string;
}

interface PasswordResetPage extends FormPage {
  mail: string;
  error?: PasswordResetError | undefined;
}

interface LoginPage extends FormPage {
  /** The application's name, as in requests. */
  applicationId: string;
  /** Where to continue afterwards, a path of this server; `''` for none. */
  next: string;
  /** The previous input; `''` at first. */
  account: string;
  error?: LoginError | undefined;
  /** URLs of this server. */
  forgotHref: string;
  wechatHref?: string | undefined;
}

interface SignedInPage extends FormPage {
  applicationId: string;
  userName: string;
  handle: string;
}

interface ConsentPage extends FormPage {
  clientKey: string;
  userName: string;
  handle: string;
  scopes: string[];
  /** Lifetime of the first access token if longer than usual; else 0. */
  longerSeconds: number;
  /** The host, or the scheme of an app. */
  destination: string;
  fields: { name: string; value: string }[];
  logoutAction: string;
  logoutCsrfToken: string;
  /** This page, to return to. */
  next: string;
  applicationId: string;
}

interface ForgotPage extends FormPage {
  applicationId: string;
  next: string;
  mail: string;
  isMailInvalid: boolean;
  loginHref: string;
}

interface ForgotDonePage extends Page {
  mail: string;
  loginHref: string;
}

interface LinkInvalidPage extends Page {
  kind: InvalidLinkKind;
}

interface ErrorPage extends Page {
  status: number;
  requestId: string;
  reason: ErrorReason;
}

/** The context of each page; a page's name is its file in `views/pages`. */
export interface PageContexts {
  'verify-mail': VerifyMailPage;
  'verify-mail-contested': ContestedMailPage;
  'verify-mail-done': MailPage;
  'verify-mail-already': MailPage;
  'password-reset': PasswordResetPage;
  'password-reset-done': Page;
  login: LoginPage;
  'signed-in': SignedInPage;
  authorize: ConsentPage;
  'password-forgot': ForgotPage;
  'password-forgot-done': ForgotDonePage;
  'link-invalid': LinkInvalidPage;
  error: ErrorPage;
  'not-found': Page;
}

interface LinkMail {
  applicationName: string;
  /** As entered by the account's owner, who may be a stranger to the mail's reader. */
  userName: string;
  /** Absolute URL. */
  link: string;
  /** Lifetime of the link; the text shows it in the largest unit that fits. */
  validSeconds: number;
}

/** The context of each mail; a mail's name is its pair of files in `views/mail`. */
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
  'verify-mail-contested',
  'verify-mail-done',
  'verify-mail-already',
  'password-reset',
  'password-reset-done',
  'login',
  'signed-in',
  'authorize',
  'password-forgot',
  'password-forgot-done',
  'link-invalid',
  'error',
  'not-found',
] as const satisfies readonly (keyof PageContexts)[];

export const mailNames = ['verify-mail', 'password-reset'] as const satisfies readonly (keyof MailContexts)[];

export type PageName = (typeof pageNames)[number];
export type MailName = (typeof mailNames)[number];
