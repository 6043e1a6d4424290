import { ApiProperty } from '@nestjs/swagger';
import { Field } from '../common/fields.js';
import { REFRESH_TOKEN_EXAMPLE } from './token.dto.js';

export const SESSION_ID_EXAMPLE = '0N7XyqBMZPHe2hcL9UQmTw';

export class LogoutDto {
  @Field('token', {
    description: 'Refresh token of the session; without one, the access token in the header says which',
    example: REFRESH_TOKEN_EXAMPLE,
    optional: true,
  })
  refresh_token?: string;
}

export class EndSessionDto {
  @Field('sessionId', { description: 'Session id, as in the list', example: SESSION_ID_EXAMPLE })
  id: string;
}

export class EndedSessionsDto {
  @ApiProperty({ type: 'integer', description: 'How many sessions have ended', example: 2 })
  ended: number;
}

class AccountSessionDto {
  @ApiProperty({ type: String, description: 'Session id', example: SESSION_ID_EXAMPLE })
  id: string;

  @ApiProperty({
    enum: ['app', 'client', 'page'],
    description: 'Where it is used: an own app, an OAuth client, or a browser on the hosted pages',
  })
  kind: 'app' | 'client' | 'page';

  @ApiProperty({ type: String, description: 'Device id, as at login; empty for none', example: 'phone-1' })
  device_id: string;

  @ApiProperty({
    type: String,
    description: 'User-Agent at login; empty for none',
    example: 'Example/1.4 (iPhone; iOS 26.1)',
  })
  user_agent: string;

  @ApiProperty({ type: String, description: 'Address at login; empty if unknown', example: '203.0.113.9' })
  address: string;

  @ApiProperty({ type: String, description: 'Key of the OAuth client; empty for none', example: '' })
  client: string;

  @ApiProperty({
    type: [String],
    description:
      'How the person signed in: `pwd` (RFC 8176) with the password, or the name of the provider; empty if unknown',
    example: ['pwd'],
  })
  amr: string[];

  @ApiProperty({ type: 'integer', description: 'Login, Unix seconds', example: 1767225600 })
  created_at: number;

  @ApiProperty({ type: 'integer', description: 'Login or last refresh, Unix seconds', example: 1767229200 })
  last_used_at: number;

  @ApiProperty({ type: Boolean, description: 'Whether it is the session of this request', example: true })
  current: boolean;
}

export class AccountSessionListDto {
  @ApiProperty({ type: [AccountSessionDto], description: 'Newest use first, at most 100' })
  sessions: AccountSessionDto[];
}
