import { Controller, Get, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { AdminOnly } from '../common/access.js';
import { ADMIN_ERRORS, Operation } from '../common/operation.js';
import { ApplicationsService } from '../applications/applications.service.js';
import { type AuditFilter, AuditTrailService } from './audit-trail.service.js';
import { AuditEventsDto, AuditQuery } from './audit.dto.js';
import { presentEvent } from './audit.presenter.js';

@ApiTags('Audit')
@AdminOnly()
@Controller('v1/audit')
export class AuditController {
  constructor(
    private readonly trail: AuditTrailService,
    private readonly applications: ApplicationsService,
  ) {}

  @Get()
  @Operation({
    summary: 'List security events',
    description: 'Get security events of accounts and of the administration, newest first (admin only)',
    answer: AuditEventsDto,
    errors: [...ADMIN_ERRORS, 'applicationNotExist'],
  })
  async list(@Query() query: AuditQuery): Promise<AuditEventsDto> {
    const { limit, cursor = '' } = query;
    const { events, nextCursor } = await this.trail.list(await this.filterOf(query), { limit, cursor });
    const names = await this.applications.namesOf(events.flatMap(({ applicationId }) => applicationId ?? []));
    return {
      events: events.map((event) => presentEvent(event, (id) => names.get(id ?? 0) ?? '')),
      next_cursor: nextCursor,
    };
  }

  private async filterOf({ app_id: name, ...query }: AuditQuery): Promise<AuditFilter> {
    const application = name === undefined ? undefined : await this.applications.getByName(name);
    return {
      equal: {
        type: query.type,
        applicationId: application?.id,
        userId: query.user_id,
        actorId: query.actor_id,
        address: query.address,
        requestId: query.request_id,
      },
      since: query.since,
      until: query.until,
    };
  }
}
