import { ApiProperty } from '@nestjs/swagger';
import { Field, QueryInteger } from '../common/fields.js';
import { INT32_MAX } from '../common/text-checks.js';
import { BindingDto } from './user.dto.js';

export class SearchQuery {
  @Field('searchText', { description: 'Name or email to search for' })
  name: string;

  @QueryInteger({ description: 'How many users to return', minimum: 1, maximum: 100, fallback: 20 })
  limit: number = 20;

  @QueryInteger({ description: 'How many users to skip', minimum: 0, maximum: INT32_MAX, fallback: 0 })
  offset: number = 0;
}

class HeldRoleDto {
  @ApiProperty({ type: 'integer', description: 'Role ID', example: 2 })
  id: number;

  @ApiProperty({ type: String, description: 'Role name', example: 'user' })
  name: string;
}

class FoundUserApplicationDto {
  @ApiProperty({ type: 'integer', description: 'Application ID', example: 1 })
  id: number;

  @ApiProperty({ type: String, description: 'Application name', example: 'pluto' })
  name: string;

  @ApiProperty({ type: [HeldRoleDto], description: 'The role that the user holds, given or by default' })
  roles: HeldRoleDto[];
}

export class FoundUserDto {
  @ApiProperty({ type: 'integer', description: 'Account id', example: 1 })
  id: number;

  @ApiProperty({ type: String, description: 'Public handle', example: 'ann' })
  user_id: string;

  @ApiProperty({ type: String, description: 'User display name', example: 'Ann' })
  name: string;

  @ApiProperty({
    type: String,
    description: 'URL of the picture; empty for none',
    example: 'https://example.com/ann.png',
  })
  avatar: string;

  @ApiProperty({ type: [FoundUserApplicationDto], description: 'The application of the account' })
  applications: FoundUserApplicationDto[];

  @ApiProperty({ type: [BindingDto], description: 'The ways to sign in to the account' })
  bindings: BindingDto[];
}

export class FoundUsersDto {
  @ApiProperty({
    type: [FoundUserDto],
    description:
      'Those with the text anywhere in their name, handle or a mail, whatever its case; sorted by what follows it there',
  })
  users: FoundUserDto[];

  @ApiProperty({ type: 'integer', description: 'How many users match in all', example: 1 })
  total: number;
}

class ApplicationTotalDto {
  @ApiProperty({ type: 'integer', description: 'Application ID', example: 1 })
  id: number;

  @ApiProperty({ type: String, description: 'Application name', example: 'pluto' })
  name: string;

  @ApiProperty({ type: 'integer', description: 'Users of the application', example: 42 })
  total: number;
}

export class SummaryDto {
  @ApiProperty({ type: 'integer', description: 'All users', example: 42 })
  total: number;

  @ApiProperty({ type: 'integer', description: 'Users who proved who they are', example: 40 })
  verified: number;

  @ApiProperty({ type: 'integer', description: 'Users made in the last 24 hours', example: 1 })
  new_24h: number;

  @ApiProperty({ type: 'integer', description: 'Users made in the last 7 days', example: 5 })
  new_7d: number;

  @ApiProperty({ type: 'integer', description: 'Users made in the last 30 days', example: 12 })
  new_30d: number;

  @ApiProperty({ type: [ApplicationTotalDto], description: 'Users by application' })
  applications: ApplicationTotalDto[];
}
