import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { chooseLanguage, type Language } from './languages.js';
import { readRequestContext, type RequestContext, type ContextRequest } from './request-context.js';

/** The origin of a request, as sessions store it, and the language of its sender. */
export interface Caller extends RequestContext {
  /** At most 255 characters; `''` without a `User-Agent` header. */
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
