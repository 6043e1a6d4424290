import { ApiProperty } from '@nestjs/swagger';
import { Expose, Transform, Type } from 'class-transformer';
import { ArrayMaxSize, IsArray, IsObject, ValidateBy, ValidateNested } from 'class-validator';
import { Field, QueryId } from '../common/fields.js';
import { canonicalLanguageTag } from '../common/languages.js';
import { EXAMPLE } from './example-ids.js';

const NAMES_MAX = 100;

export class CreateApplicationDto {
  @Field('newAppName', { description: 'Application name' })
  name: string;
}

export class LocalizedNameDto {
  @ApiProperty({ type: String, description: 'Language, BCP 47', maxLength: 64, example: 'ja' })
  @ValidateBy({
    name: 'tag',
    validator: {
      validate: (tag) => typeof tag === 'string' && canonicalLanguageTag(tag) !== null,
      defaultMessage: () => '$property must be a BCP 47 language tag of at most 64 characters',
    },
  })
  tag: string;

  @Field('newAppName', {
    description: 'What the application is called in that language',
    example: 'サンプル',
  })
  @Expose()
  @Transform(({ value, obj }) => readName(value, obj as { i18N_name?: unknown }))
  i18n_name: string;
}

export class LocalizedNamesDto {
  @Field('id', { description: 'Application ID', example: EXAMPLE.application })
  app_id: number;

  @ApiProperty({
    type: [LocalizedNameDto],
    maxItems: NAMES_MAX,
    description: 'Internationalized names; they replace those there were',
  })
  @ArrayMaxSize(NAMES_MAX, { message: `$property must have at most ${NAMES_MAX} names` })
  // ValidateNested accepts null, and validates objects inside nested lists.
  @IsObject({ each: true, message: '$property must be objects with tag and i18n_name' })
  @ValidateNested({ each: true })
  // Checked first: the last decorator is.
  @IsArray({ message: '$property must be a list of names' })
  @Type(() => LocalizedNameDto)
  i18n_names: LocalizedNameDto[];
}

export class ApplicationQuery {
  @QueryId({ description: 'Application ID' })
  app_id: number;
}

export class ApplicationDto {
  @ApiProperty({ type: 'integer', description: 'Application ID', example: 1 })
  id: number;

  @ApiProperty({ type: String, description: 'Application name', example: 'pluto' })
  name: string;

  @ApiProperty({
    type: 'integer',
    nullable: true,
    description: 'Id of the default role; null for none',
    example: 2,
  })
  default_role: number | null;
}

export class ApplicationNamesDto {
  @ApiProperty({ type: 'integer', description: 'Application ID', example: 1 })
  app_id: number;

  @ApiProperty({ type: String, description: 'Application name', example: 'pluto' })
  app_name: string;

  @ApiProperty({ type: [LocalizedNameDto], description: 'What it is called in other languages' })
  i18n_names: LocalizedNameDto[];
}

/** The old admin app spells the field of a new name `i18N_name`; Go reads fields without regard to case. */
function readName(value: unknown, { i18N_name }: { i18N_name?: unknown }): unknown {
  return value === undefined ? i18N_name : value;
}
