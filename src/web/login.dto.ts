import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Allow } from 'class-validator';
import { PageToken } from './page.js';

/**
 * Form fields are validated in the controller so that the page can show the error; an invalid `next` is
 * ignored.
 */
export class LoginQuery {
  @Allow()
  @ApiPropertyOptional({ type: String, description: 'Application ID', example: 'pluto' })
  app_id?: unknown;

  @Allow()
  @ApiPropertyOptional({
    type: String,
    description: 'Where to go on: a path of one of the hosted pages',
    example: '/web/authorize?client_id=desk',
  })
  next?: unknown;
}

export class LoginForm {
  @PageToken()
  _csrf?: unknown;

  @Allow()
  @ApiProperty({ type: String, description: 'Email or username', example: 'ann' })
  account?: unknown;

  @Allow()
  @ApiProperty({ type: String, description: 'User password', example: 'correct horse' })
  password?: unknown;

  @Allow()
  @ApiPropertyOptional({ type: String, description: 'Device identifier', example: 'laptop' })
  device_id?: unknown;

  @Allow()
  @ApiProperty({ type: String, description: 'Application ID', example: 'pluto' })
  app_id?: unknown;

  @Allow()
  @ApiPropertyOptional({
    type: String,
    description: 'Where to go on: a path of one of the hosted pages',
    example: '/web/authorize?client_id=desk',
  })
  next?: unknown;
}
