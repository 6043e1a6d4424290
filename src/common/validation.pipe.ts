import {
  ValidationPipe,
  type ArgumentMetadata,
  type PipeTransform,
  type ValidationError,
} from '@nestjs/common';
import { PlutoError } from './errors.js';
import { checkedFields, takeIfRight } from './field-checks.js';

/** Checks bodies and queries against their DTO; unknown fields are dropped, each field at fault is named. */
export function createValidationPipe(): PipeTransform {
  return new DtoPipe();
}

type DtoClass = new () => object;

class DtoPipe implements PipeTransform {
  private readonly thorough = new ValidationPipe({
    transform: true,
    whitelist: true,
    stopAtFirstError: true,
    exceptionFactory: (faults) => badRequest(describeFaults(faults)),
  });

  transform(value: unknown, metadata: ArgumentMetadata): unknown {
    // What decorators of ours have made.
    if (metadata.type === 'custom') return value;
    const dto = metadata.metatype as DtoClass | undefined;
    const taken = dto && takeIfRight(value, dto);
    return taken ?? this.thorough.transform(pickDeclared(value, dto), metadata);
  }
}

/** Drops unknown fields before anything looks at them: class-transformer's time grows with the square of their number. */
function pickDeclared(value: unknown, dto: DtoClass | undefined): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || !dto) return value;
  const names = checkedFields(dto);
  if (names.size === 0) return value;
  const given = value as Record<string, unknown>;
  return Object.fromEntries(
    [...names].filter((name) => Object.hasOwn(given, name)).map((name) => [name, given[name]]),
  );
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
