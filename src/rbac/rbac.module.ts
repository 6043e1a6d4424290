import { Module } from '@nestjs/common';
import { AdministratorsService } from './administrators.service.js';
import { ApplicationsService } from './applications.service.js';
import { PlutoApplicationSeed } from './pluto-application.seed.js';
import { UserGrantsService } from './user-grants.service.js';

@Module({
  providers: [AdministratorsService, ApplicationsService, PlutoApplicationSeed, UserGrantsService],
  exports: [AdministratorsService, ApplicationsService, PlutoApplicationSeed, UserGrantsService],
})
export class RbacModule {}
