import { Injectable, type ArgumentMetadata, type PipeTransform } from '@nestjs/common';
import { plainToInstance } from 'class-transformer';
import { getMetadataStorage, validateSync, type ValidationError } from 'class-validator';
import { PlutoError } from './errors.js';

type DtoClass = new () => object;

/**
 * Validates bodies and queries against their DTO; drops unknown fields and names each invalid one. It does
 * what Nest's ValidationPipe does for values that come from JSON, forms and queries, without promises: all
 * checks of a request are synchronous.
 */
@Injectable()
export class DtoValidationPipe implements PipeTransform {
  private readonly fieldsOf = new WeakMap<DtoClass, string[]>();

  /** @throws PlutoError badRequest */
  transform(value: unknown, { metatype }: ArgumentMetadata): unknown {
    const dto = metatype as DtoClass | undefined;
    const fields = dto ? this.declaredFields(dto) : [];
    if (!dto || fields.length === 0) return value;
    const checked = plainToInstance(dto, pick(fields, value ?? {}));
    const faults = validateSync(checked, { stopAtFirstError: true, validationError: { target: false } });
    if (faults.length > 0) throw badRequest(describeFaults(faults));
    return checked;
  }

  private declaredFields(dto: DtoClass): string[] {
    const known = this.fieldsOf.get(dto);
    if (known) return known;
    const rules = getMetadataStorage().getTargetValidationMetadatas(dto, '', false, false);
    const fields = [...new Set(rules.map(({ propertyName }) => propertyName))];
    this.fieldsOf.set(dto, fields);
    return fields;
  }
}

/** The declared fields alone: class-transformer's time grows with the square of their number. */
function pick(fields: string[], value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || Array.isArray(value)) throw badRequest(['the body must be a JSON object']);
  const given = value as Record<string, unknown>;
  const picked: Record<string, unknown> = {};
  for (const name of fields) if (Object.hasOwn(given, name)) picked[name] = given[name];
  return picked;
}

/** A 1001 whose message lists the faults. */
export function badRequest(faults: string[]): PlutoError {
  return new PlutoError(
    'badRequest',
    faults.length > 0 ? { message: `Bad Request: ${faults.join('; ')}` } : {},
  );
}

function describeFaults(faults: ValidationError[]): string[] {
  return faults.flatMap(({ constraints = {}, children = [] }) => [
    ...Object.values(constraints),
    ...describeFaults(children),
  ]);
}
