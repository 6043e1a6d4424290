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

/** What the owner of an account is told by mail. */
export const noticeKinds = [
  'bindingAdded',
  'bindingRemoved',
  'passwordChanged',
  'sessionStolen',
  'mailChanged',
] as const;

const signInMethods = ['mail', 'google', 'apple', 'wechat'] as const;

/** Variants of a text by a value of the context: catalogue key prefix → last part of the key. */
export const variants = {
  'password-reset.error': ['tooShort', 'tooLong', 'common', 'personal', 'mismatch'],
  'link-invalid.next': ['verify', 'reset', 'change', 'undo'],
  'mail-change-undo.title': ['stop', 'undo'],
  'mail-change-undo.text': ['stop', 'undo'],
  'mail-change-undo.button': ['stop', 'undo'],
  'mail-change-undone.title': ['stop', 'undo'],
  'mail-change-undone.text': ['stop', 'undo'],
  'mail.security-notice.subject': noticeKinds,
  'mail.security-notice.title': noticeKinds,
  'mail.security-notice.text': noticeKinds,
  'sign-in-method': signInMethods,
  'verify-mail-contested.field': ['password', 'handle'],
  'verify-mail-contested.error': ['password', 'handle'],
  'login.error': ['invalidPassword', 'mailNotVerified'],
  'error.title': errorReasons,
  'error.text': errorReasons,
} as const satisfies Record<string, readonly string[]>;

export type PasswordResetError = (typeof variants)['password-reset.error'][number];
export type LoginError = (typeof variants)['login.error'][number];
export type InvalidLinkKind = (typeof variants)['link-invalid.next'][number];
export type NoticeKind = (typeof noticeKinds)[number];
export type SignInMethod = (typeof signInMethods)[number];
export type UndoKind = (typeof variants)['mail-change-undo.title'][number];
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

/** A way to sign in that was added recently. */
interface RecentBinding {
  id: number;
  method: SignInMethod;
  /** `''` if the provider gave none. */
  mail: string;
  addedAt: number;
  isKept: boolean;
}

interface PasswordResetPage extends FormPage {
  mail: string;
  /** Those that the person may remove with the reset, oldest first. */
  bindings: RecentBinding[];
  error?: PasswordResetError | undefined;
}

interface LinkedPage extends Page {
  loginHref: string;
}

interface MailChangePage extends FormPage {
  mail: string;
  userName: string;
  handle: string;
}

interface MailChangeDonePage extends LinkedPage {
  mail: string;
}

interface MailChangeUndoPage extends FormPage {
  kind: UndoKind;
  formerMail: string;
  newMail: string;
}

interface MailChangeUndonePage extends Page {
  kind: UndoKind;
  mail: string;
  forgotHref: string;
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
  'password-reset-done': LinkedPage;
  'mail-change': MailChangePage;
  'mail-change-done': MailChangeDonePage;
  'mail-change-taken': MailChangeDonePage;
  'mail-change-undo': MailChangeUndoPage;
  'mail-change-undone': MailChangeUndonePage;
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
  /** Lifetime of the link, shown in the largest unit that fits; 0 for a link that is always valid. */
  validSeconds: number;
}

interface ChangeMail extends LinkMail {
  newMail: string;
}

interface NoticeMail extends LinkMail {
  kind: NoticeKind;
  /** `''` where it is not about one. */
  method: SignInMethod | '';
  /** When it happened, in seconds since the epoch. */
  at: number;
}

/** The context of each mail; a mail's name is its pair of files in `views/mail`. */
export interface MailContexts {
  'verify-mail': LinkMail;
  'password-reset': LinkMail;
  /** To the new address. */
  'mail-change': LinkMail;
  /** To the former address. */
  'mail-change-requested': ChangeMail;
  'mail-changed': ChangeMail;
  'security-notice': NoticeMail;
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
  'mail-change',
  'mail-change-done',
  'mail-change-taken',
  'mail-change-undo',
  'mail-change-undone',
  'login',
  'signed-in',
  'authorize',
  'password-forgot',
  'password-forgot-done',
  'link-invalid',
  'error',
  'not-found',
] as const satisfies readonly (keyof PageContexts)[];

export const mailNames = [
  'verify-mail',
  'password-reset',
  'mail-change',
  'mail-change-requested',
  'mail-changed',
  'security-notice',
] as const satisfies readonly (keyof MailContexts)[];

export type PageName = (typeof pageNames)[number];
export type MailName = (typeof mailNames)[number];
