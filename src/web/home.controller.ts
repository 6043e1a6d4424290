import { Controller, Get, Redirect } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { Public } from '../common/access.js';
import { PageAddresses } from './page-addresses.js';

/** People who open the root address are most likely developers. */
@ApiExcludeController()
@Controller()
export class HomeController {
  constructor(private readonly addresses: PageAddresses) {}

  @Public()
  @Get()
  @Redirect(undefined, 302)
  redirect(): { url: string } {
    return { url: this.addresses.of('/docs') };
  }
}
