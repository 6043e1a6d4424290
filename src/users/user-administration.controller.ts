import { Controller, Get, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { AdminOnly } from '../common/access.js';
import { ADMIN_ERRORS, Operation } from '../common/operation.js';
import { AvatarsService } from './avatars.service.js';
import { FoundUsersDto, SearchQuery, SummaryDto } from './user-administration.dto.js';
import { UserDirectoryService } from './user-directory.service.js';
import { presentFoundUser } from './user.presenter.js';

@ApiTags('User Administration')
@AdminOnly()
@Controller('v1/user')
export class UserAdministrationController {
  constructor(
    private readonly directory: UserDirectoryService,
    private readonly avatars: AvatarsService,
  ) {}

  @Get('search')
  @Operation({
    summary: 'Search the user using name or mail',
    description: 'Search for users by name or email (admin only)',
    answer: FoundUsersDto,
    errors: ADMIN_ERRORS,
  })
  async search(@Query() { name, limit, offset }: SearchQuery): Promise<FoundUsersDto> {
    const { users, total } = await this.directory.search(name, { limit, offset });
    return { users: users.map((user) => presentFoundUser(user, (one) => this.avatars.urlOf(one))), total };
  }

  @Get('summary')
  @Operation({
    summary: 'Get the summary of users',
    description: 'Get statistical summary of user data (admin only)',
    answer: SummaryDto,
    errors: ADMIN_ERRORS,
  })
  async summarize(): Promise<SummaryDto> {
    const summary = await this.directory.summarize();
    return {
      total: summary.total,
      verified: summary.verified,
      new_24h: summary.newIn24Hours,
      new_7d: summary.newIn7Days,
      new_30d: summary.newIn30Days,
      applications: summary.applications,
    };
  }
}
