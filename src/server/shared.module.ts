import { Global, Module } from '@nestjs/common';
import { APP_FILTER, APP_PIPE } from '@nestjs/core';
import { classifyError } from './classify-error.js';
import { CLASSIFY_ERROR, ErrorFilter } from '../common/http/error.filter.js';
import { InFlightRequests } from '../common/http/in-flight-requests.js';
import { RouteIndex } from '../common/http/route-index.js';
import { DtoValidationPipe } from '../common/validation.pipe.js';
import { Views } from '../common/views/views.js';

/** Global guards, pipes and filters, and the services shared by all modules. */
@Global()
@Module({
  providers: [
    RouteIndex,
    InFlightRequests,
    Views,
    { provide: CLASSIFY_ERROR, useValue: classifyError },
    { provide: APP_FILTER, useClass: ErrorFilter },
    { provide: APP_PIPE, useClass: DtoValidationPipe },
  ],
  exports: [RouteIndex, InFlightRequests, Views],
})
export class SharedModule {}
