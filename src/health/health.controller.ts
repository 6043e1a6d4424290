import { Controller, Get } from '@nestjs/common';
import { ApiExcludeEndpoint, ApiTags } from '@nestjs/swagger';
import { Public } from '../common/access.js';
import { PlutoError } from '../common/errors.js';
import { NotCompressed } from '../common/http/compression.js';
import { InFlightRequests } from '../common/http/in-flight-requests.js';
import { Operation } from '../common/operation.js';
import { packageVersion } from '../common/package-version.js';
import { HealthDto } from './health.dto.js';
import { HealthService } from './health.service.js';

@ApiTags('Health Check')
@Public()
@Controller()
export class HealthController {
  constructor(
    private readonly health: HealthService,
    private readonly inFlight: InFlightRequests,
  ) {}

  @Get('v1/healthcheck')
  @NotCompressed()
  @Operation({
    summary: 'Health check',
    description: 'Check the health status of the API',
    answer: HealthDto,
    errors: ['serviceUnavailable'],
  })
  async check(): Promise<HealthDto> {
    await this.health.assertDatabaseAnswers();
    return { version: packageVersion, database: 'up' };
  }

  /** Liveness: whether the process runs, for supervisors. */
  @Get('health/live')
  @ApiExcludeEndpoint()
  live(): void {}

  /** Readiness: whether requests can be served, for load balancers. */
  @Get('health/ready')
  @ApiExcludeEndpoint()
  async ready(): Promise<void> {
    if (this.inFlight.isDraining) throw new PlutoError('serviceUnavailable');
    await this.health.assertDatabaseAnswers();
  }
}
