import { ValidationPipe, type ValidationError } from '@nestjs/common';
import { PlutoError } from './errors.js';

/** Checks bodies and queries against their DTO; unknown fields are dropped, each field at fault is named. */
export function createValidationPipe(): ValidationPipe {
  return new ValidationPipe({
    transform: true,
    whitelist: true,
    stopAtFirstError: true,
    exceptionFactory: (faults) => badRequest(describeFaults(faults)),
  });
}

/** A 1001 whose message says what is at fault. */
export function badRequest(faults: string[]): PlutoError {
  return new PlutoError(
    'badRequest',
    faults.length > 0 ? { message: `Bad Request: ${faults.join('; ')}` } : {},
  );
}

function describeFaults(faults: ValidationError[]): string[] {
  return faults.flatMap(({ constraints = {}, children = [] }) => {
    const own = Object.entries(constraints).map(([rule, message]) =>
      rule === 'unknownValue' ? 'the body must be a JSON object' : message,
    );
    return [...own, ...describeFaults(children)];
  });
}
