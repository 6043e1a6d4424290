import { Controller, Get, Redirect } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { Public } from '../common/access.js';

/** Who opens the bare address in a browser is most likely a developer. */
@ApiExcludeController()
@Controller()
export class HomeController {
  @Public()
  @Get()
  @Redirect('/docs', 302)
  redirect(): void {}
}
