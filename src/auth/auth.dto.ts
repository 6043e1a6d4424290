import { ApiProperty } from '@nestjs/swagger';
import { Field } from '../common/fields.js';

export class RegisterDto {
  @Field('mail', { description: 'User email address' })
  mail: string;

  @Field('handle', { description: 'Unique user ID' })
  user_id: string;

  @Field('userName', { description: 'User display name' })
  name: string;

  @Field('newPassword', { description: 'User password' })
  password: string;

  @Field('appName', { description: 'Application ID' })
  app_id: string;
}

export class RegisteredDto {
  @ApiProperty({ type: String, description: 'User email address', example: 'ann@example.com' })
  mail: string;

  @ApiProperty({
    type: Boolean,
    description: 'Whether the account can sign in immediately; otherwise a mail with a link has been sent',
    example: false,
  })
  verified: boolean;
}

export class VerificationMailDto {
  @Field('mail', { description: 'User email address', optional: true })
  mail?: string;

  @Field('appName', { description: 'Application ID' })
  app_id: string;

  @Field('handle', { description: 'User ID', optional: true })
  user_id?: string;
}

export class AccountLoginDto {
  @Field('account', { description: 'Email or username' })
  account: string;

  @Field('password', { description: 'User password' })
  password: string;

  @Field('deviceId', { description: 'Device identifier', optional: true })
  device_id?: string;

  @Field('appName', { description: 'Application ID' })
  app_id: string;
}

export class PasswordResetMailDto {
  @Field('knownMail', { description: 'User email address' })
  mail: string;

  @Field('appName', { description: 'Application ID' })
  app_id: string;
}
