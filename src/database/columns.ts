import { type ColumnOptions, type ValueTransformer } from 'typeorm';

const numberTransformer: ValueTransformer = {
  to: (value: unknown) => value,
  // TypeORM returns 64-bit columns of MySQL as strings.
  from: (value: unknown) => (value === null || value === undefined ? value : Number(value)),
};

/** Whole seconds since the epoch (UTC), as `number`. */
export const unixTime = { type: 'bigint', transformer: numberTransformer } as const satisfies ColumnOptions;

/** As `unixTime`, or null if it has not happened. */
export const nullableUnixTime = { ...unixTime, nullable: true } as const satisfies ColumnOptions;
