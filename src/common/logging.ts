import type { LoggerService } from '@nestjs/common';
import { pino, type DestinationStream, type Logger as PinoLogger } from 'pino';
import type pretty from 'pino-pretty';
import { loadWhenNeeded } from './load-when-needed.js';

export type LogFormat = 'pretty' | 'json';

/** The structured log of the process: JSON lines, or readable lines on a terminal. */
export function createLog(level: string, format: LogFormat, destination?: DestinationStream): PinoLogger {
  const stream = destination ?? (format === 'pretty' ? readable() : undefined);
  return pino(
    {
      level,
      formatters: { level: (word) => ({ level: word }) },
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: serializeError },
    },
    stream ?? pino.destination(1),
  );
}

function readable(): DestinationStream {
  const makeReadable = loadWhenNeeded<typeof pretty>('pino-pretty');
  return makeReadable({ colorize: true, ignore: 'pid,hostname', sync: true });
}

/**
 * What is logged of an error: only name, message, code and stack. Database errors also hold the query's
 * parameters (hashes, mails), and errors of other libraries whole requests.
 */
function serializeError(thrown: unknown): Record<string, unknown> {
  if (!(thrown instanceof Error)) return { message: typeof thrown };
  const { code } = thrown as { code?: unknown };
  return {
    type: thrown.name,
    message: withoutValues(thrown.message),
    ...(typeof code === 'string' && { code }),
    stack: withoutValues(thrown.stack ?? ''),
    ...(thrown.cause instanceof Error && { cause: serializeError(thrown.cause) }),
  };
}

/** MySQL quotes the offending value in its messages ("Duplicate entry 'a@b.example' for key …"). */
function withoutValues(text: string): string {
  return text.replace(/Duplicate entry '.*?' for key/g, "Duplicate entry '…' for key");
}

/** Nest logs every module and route at start, which only helps to debug them. */
const CHATTY_CONTEXTS = new Set([
  'InstanceLoader',
  'NestApplication',
  'NestFactory',
  'RouterExplorer',
  'RoutesResolver',
]);

/** Nest logs a failure to start, or to listen, before it throws it; `start` reports it. */
const REPORTED_BY_THE_START = new Set(['ExceptionHandler', 'NestApplication']);

/** Forwards the log of Nest and the services to the structured log. */
export class NestLog implements LoggerService {
  constructor(private readonly sink: PinoLogger) {}

  verbose(message: unknown, ...rest: unknown[]): void {
    this.write('trace', message, rest);
  }
  debug(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, rest);
  }
  log(message: unknown, ...rest: unknown[]): void {
    this.write(CHATTY_CONTEXTS.has(contextOf(rest) ?? '') ? 'debug' : 'info', message, rest);
  }
  warn(message: unknown, ...rest: unknown[]): void {
    this.write('warn', message, rest);
  }
  error(message: unknown, ...rest: unknown[]): void {
    this.write(REPORTED_BY_THE_START.has(contextOf(rest) ?? '') ? 'debug' : 'error', message, rest);
  }
  fatal(message: unknown, ...rest: unknown[]): void {
    this.write('fatal', message, rest);
  }

  private write(
    level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal',
    message: unknown,
    rest: unknown[],
  ): void {
    const context = contextOf(rest);
    const stack = rest.find((part) => typeof part === 'string' && part !== context);
    const fields = {
      ...(context !== undefined && { context }),
      ...(typeof stack === 'string' && { stack: withoutValues(stack) }),
    };
    if (message instanceof Error) this.sink[level]({ ...fields, err: message }, message.name);
    else if (typeof message === 'object' && message !== null) this.sink[level]({ ...fields, ...message });
    else this.sink[level](fields, String(message));
  }
}

/** Nest passes the logger's name last. */
function contextOf(rest: unknown[]): string | undefined {
  return rest.findLast((part) => typeof part === 'string');
}
