import { ApiProperty } from '@nestjs/swagger';

export class HealthDto {
  @ApiProperty({ type: String, description: "The server's version", example: '0.1.0' })
  version: string;

  @ApiProperty({ enum: ['up'], description: 'Whether the database answers' })
  database: 'up';
}
