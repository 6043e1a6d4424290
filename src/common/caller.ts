import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { chooseLanguage, type Language } from './languages.js';
import { readRequestContext, type RequestContext, type ContextRequest } from './request-context.js';

/** From where a request came, as sessions remember it, and the language its sender reads. */
export interface Caller extends RequestContext {
  /** At most 255 characters; `''` when none was told. */
  userAgent: string;
  language: Language;
  acceptLanguage: string | undefined;
}

interface CallerRequest extends ContextRequest {
  headers: Record<string, string | undefined>;
}

const USER_AGENT_MAX = 255;

/** The caller of the request, as a controller's parameter. */
export const CurrentCaller = createParamDecorator((_: unknown, context: ExecutionContext): Caller => {
  const request = context.switchToHttp().getRequest<CallerRequest>();
  const acceptLanguage = request.headers['accept-language'];
  return {
    ...readRequestContext(request),
    userAgent: (request.headers['user-agent'] ?? '').slice(0, USER_AGENT_MAX),
    language: chooseLanguage(acceptLanguage),
    acceptLanguage,
  };
});
