import type { ErrorReason } from './views/contexts.js';

/** Every failure that Pluto reports to clients: its code, HTTP status and default message. */
export const errorCatalogue = {
  serverError: { code: 1000, status: 500, message: 'Server Error' },
  badRequest: { code: 1001, status: 400, message: 'Bad Request' },
  forbidden: { code: 1002, status: 403, message: 'Operation Forbidden' },
  unauthorized: { code: 1003, status: 401, message: 'Request is unauthorized' },
  pathNotFound: { code: 1005, status: 404, message: 'Path not found' },
  tooManyRequests: { code: 1006, status: 429, message: 'Too many requests' },
  bodyTooLarge: { code: 1007, status: 413, message: 'Request body too large' },
  unsupportedContentType: { code: 1008, status: 415, message: 'Unsupported content type' },
  methodNotAllowed: { code: 1009, status: 405, message: 'Method not allowed' },
  serviceUnavailable: { code: 1010, status: 503, message: 'Service unavailable' },
  requestTimeout: { code: 1011, status: 408, message: 'Request took too long to arrive' },

  mailAlreadyRegistered: { code: 2001, status: 403, message: 'Mail is already been registered' },
  mailNotExist: { code: 2002, status: 403, message: 'Mail does not exist' },
  mailNotVerified: { code: 2003, status: 403, message: 'Mail is not verified' },
  mailAlreadyVerified: { code: 2004, status: 400, message: 'Mail is already verified' },
  userIdNotExist: { code: 2005, status: 403, message: 'User id does not exist' },
  userIdExists: { code: 2006, status: 403, message: 'User id already exists' },
  bindExists: { code: 2007, status: 403, message: 'Bind already exists' },
  bindNotExist: { code: 2008, status: 403, message: 'Bind does not exist' },
  passwordNotSet: { code: 2009, status: 400, message: 'Password has not been set for this account' },
  cannotUnbindLast: { code: 2010, status: 403, message: 'Cannot unbind the last account.' },
  sendMailFailed: { code: 2011, status: 403, message: 'Send mail failed' },

  invalidPassword: { code: 3001, status: 403, message: 'Invalid Password' },
  invalidRefreshToken: { code: 3002, status: 403, message: 'Invalid Refresh Token' },
  invalidJwt: { code: 3003, status: 403, message: 'Invalid JWT Token' },
  invalidGoogleIdToken: { code: 3004, status: 403, message: 'Invalid Google ID Token' },
  invalidWechatCode: { code: 3005, status: 403, message: 'Invalid Wechat Code' },
  invalidAvatar: { code: 3006, status: 400, message: 'Invalid Avatar Format' },
  invalidAppleIdToken: { code: 3007, status: 403, message: 'Invalid Apple ID Token' },
  jwtExpired: { code: 3008, status: 403, message: 'JWT Token Expired' },
  invalidAccessToken: { code: 3009, status: 403, message: 'Invalid Access Token' },
  invalidApplication: { code: 3010, status: 403, message: 'Invalid Application' },
  refreshTokenExpired: { code: 3011, status: 403, message: 'Refresh token expired' },
  signInAgain: { code: 3013, status: 403, message: 'Sign in again first' },

  scopeExists: { code: 4001, status: 403, message: 'Scope already exists' },
  scopeNotExist: { code: 4002, status: 403, message: 'Scope not exist' },
  scopeAttached: { code: 4003, status: 403, message: 'Scope already attached' },
  applicationExists: { code: 4004, status: 403, message: 'Application already exists' },
  applicationNotExist: { code: 4005, status: 403, message: 'Application does not exist' },
  roleExists: { code: 4006, status: 403, message: 'Role already exists' },
  roleNotExist: { code: 4007, status: 403, message: 'Role does not exist' },
  notPlutoAdmin: { code: 4008, status: 403, message: 'Not the pluto admin' },
  userNotExist: { code: 4009, status: 403, message: 'User is not exist' },
  notPlutoUser: { code: 4010, status: 403, message: 'Not the pluto user' },

  invalidGrantType: { code: 5001, status: 403, message: 'Invalid grant type' },
  authorizationCodeNotFound: { code: 5002, status: 403, message: 'Authorization code not found' },
  invalidRedirectUri: { code: 5003, status: 403, message: 'Invalid redirect uri' },
  authorizationCodeExpired: { code: 5004, status: 403, message: 'Authorization code expired' },
  clientNotFound: { code: 5005, status: 401, message: 'client_id or secret not found' },
  clientExists: { code: 5006, status: 401, message: 'Client already exists' },
  invalidClientStatus: { code: 5007, status: 401, message: 'Invalid client status' },
  invalidClient: { code: 5008, status: 403, message: 'Invalid client' },
} as const satisfies Record<string, { code: number; status: number; message: string }>;

export type ErrorKey = keyof typeof errorCatalogue;

interface PlutoErrorOptions {
  /** Sent to the client instead of the catalogue's message; never contains a secret. */
  message?: string;
  /** Seconds to wait before the next try; becomes `Retry-After`. */
  retryAfterSeconds?: number;
  /** Which explanation the error page shows, where the status alone is not enough. */
  page?: ErrorReason;
  cause?: unknown;
}

/** A failure from the catalogue; the error filter turns it into the response. */
export class PlutoError extends Error {
  readonly code: number;
  readonly status: number;
  readonly retryAfterSeconds: number | undefined;
  readonly page: ErrorReason | undefined;

  constructor(
    readonly key: ErrorKey,
    options: PlutoErrorOptions = {},
  ) {
    const entry = errorCatalogue[key];
    super(options.message ?? entry.message, { cause: options.cause });
    this.name = 'PlutoError';
    this.code = entry.code;
    this.status = entry.status;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.page = options.page;
  }
}

/** The body of every failure under `/v1`. */
export function errorEnvelope(error: PlutoError): {
  status: 'error';
  error: { code: number; message: string };
} {
  return { status: 'error', error: { code: error.code, message: error.message } };
}
