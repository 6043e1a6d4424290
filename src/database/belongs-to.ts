import { JoinColumn, ManyToOne } from 'typeorm';

interface BelongsToOptions {
  /** The class name of the referenced entity; a string, so that a module need not import the owner's file. */
  entity: string;
  column: string;
  constraint: string;
}

/** A foreign key with ON DELETE CASCADE, the same in both dialects. */
export function BelongsTo({ entity, column, constraint }: BelongsToOptions) {
  return (target: object, property: string): void => {
    ManyToOne(entity, { onDelete: 'CASCADE', onUpdate: 'NO ACTION', nullable: false })(target, property);
    JoinColumn({ name: column, foreignKeyConstraintName: constraint })(target, property);
  };
}

/** A foreign key with ON DELETE SET NULL, the same in both dialects. */
export function SetNullOnDelete({ entity, column, constraint }: BelongsToOptions) {
  return (target: object, property: string): void => {
    ManyToOne(entity, { onDelete: 'SET NULL', onUpdate: 'NO ACTION', nullable: true })(target, property);
    JoinColumn({ name: column, foreignKeyConstraintName: constraint })(target, property);
  };
}
