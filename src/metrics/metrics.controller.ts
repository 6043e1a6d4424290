import { Controller, Get, Header, Headers } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { Registry } from 'prom-client';
import { Public } from '../common/access.js';
import { NoEnvelope } from '../common/http/envelope.js';
import { PlutoError } from '../common/errors.js';
import { Settings } from '../config/settings.js';
import { MetricsRegistry } from './metrics.registry.js';
import { bearsToken } from './scrape-token.js';

/** The metrics on the port of the API, for requests with METRICS_TOKEN. */
@ApiExcludeController()
@Public()
@Controller('metrics')
export class MetricsController {
  constructor(
    private readonly metrics: MetricsRegistry,
    private readonly settings: Settings,
  ) {}

  @NoEnvelope()
  @Get()
  @Header('content-type', Registry.PROMETHEUS_CONTENT_TYPE)
  scrape(@Headers('authorization') authorization: string | undefined): Promise<string> {
    const { metricsToken } = this.settings;
    if (metricsToken === undefined || !bearsToken(authorization, metricsToken))
      throw new PlutoError('unauthorized');
    return this.metrics.text();
  }
}
