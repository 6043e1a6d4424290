import { getMetadataStorage } from 'class-validator';

type DtoClass = new () => object;

interface FieldCheck {
  accepts: (value: unknown) => boolean;
  isOptional: boolean;
}

/** By the prototype of the class that declares them. */
const declared = new WeakMap<object, Map<string, FieldCheck>>();
const plans = new WeakMap<DtoClass, Map<string, FieldCheck> | null>();

/** Notes the whole check of a field of plain values, for `takeIfRight`. */
export function noteCheck(check: FieldCheck): PropertyDecorator {
  return (prototype, property) => {
    const checks = declared.get(prototype) ?? new Map<string, FieldCheck>();
    declared.set(prototype, checks.set(String(property), check));
  };
}

/** The fields of a DTO that have a check of whatever kind. */
export function checkedFields(dto: DtoClass): Set<string> {
  return new Set(rulesOf(dto).map(({ propertyName }) => propertyName));
}

/**
 * The DTO of what was sent, unknown fields dropped, if the checks of its fields are all noted and pass: class-validator
 * and class-transformer take 60 µs for what takes 1 here, and are left to find the words for what is wrong.
 * @returns null where they have to look
 */
export function takeIfRight(sent: unknown, dto: DtoClass): object | null {
  if (typeof sent !== 'object' || sent === null || Array.isArray(sent)) return null;
  const plan = planOf(dto);
  if (!plan) return null;
  const taken: Record<string, unknown> = new dto() as Record<string, unknown>;
  for (const [name, { accepts, isOptional }] of plan) {
    const value = Object.hasOwn(sent, name) ? (sent as Record<string, unknown>)[name] : undefined;
    const isMissing = value === undefined || value === null;
    if (isMissing ? !isOptional : typeof value === 'object' || !accepts(value)) return null;
    if (!isMissing) taken[name] = value;
  }
  return taken;
}

function planOf(dto: DtoClass): Map<string, FieldCheck> | null {
  const known = plans.get(dto);
  if (known !== undefined) return known;
  const checks = declared.get(dto.prototype as object) ?? new Map<string, FieldCheck>();
  const rules = rulesOf(dto);
  // A field has one rule, and another that lets it be absent; with any more, its noted check is not the whole.
  const isWhole = [...checkedFields(dto)].every((name) => {
    const count = rules.filter(({ propertyName }) => propertyName === name).length;
    return count === (checks.get(name)?.isOptional ? 2 : 1) && checks.has(name);
  });
  const plan = isWhole && rules.length > 0 ? checks : null;
  plans.set(dto, plan);
  return plan;
}

function rulesOf(dto: DtoClass) {
  return getMetadataStorage().getTargetValidationMetadatas(dto, '', false, false);
}
