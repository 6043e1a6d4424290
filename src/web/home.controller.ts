import { Controller, Get, Redirect } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { Public } from '../common/access.js';

/** People who open the root address are most likely developers. */
@ApiExcludeController()
@Controller()
export class HomeController {
  @Public()
  @Get()
  @Redirect('/docs', 302)
  redirect(): void {}
}
