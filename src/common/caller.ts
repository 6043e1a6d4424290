import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { addressOf } from './http/request-context.js';
import { chooseLanguage, type Language } from './languages.js';

/** From where a request came, as sessions remember it, and the language its sender reads. */
export interface Caller {
  address: string;
  /** At most 255 characters; `''` when none was told. */
  userAgent: string;
  language: Language;
  acceptLanguage: string | undefined;
}

interface CallerRequest {
  ip: string;
  headers: Record<string, string | undefined>;
}

const USER_AGENT_MAX = 255;

/** The caller of the request, as a controller's parameter. */
export const CurrentCaller = createParamDecorator((_: unknown, context: ExecutionContext): Caller => {
  const request = context.switchToHttp().getRequest<CallerRequest>();
  const acceptLanguage = request.headers['accept-language'];
  return {
    address: addressOf(request),
    userAgent: (request.headers['user-agent'] ?? '').slice(0, USER_AGENT_MAX),
    language: chooseLanguage(acceptLanguage),
    acceptLanguage,
  };
});
