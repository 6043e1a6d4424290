import { Module } from '@nestjs/common';
import { AdministratorsService } from './administrators.service.js';
import { ApplicationNamesService } from './application-names.service.js';
import { ApplicationSettingsController } from './application-settings.controller.js';
import { ApplicationSettingsService } from './application-settings.service.js';
import { ApplicationsController } from './applications.controller.js';
import { ApplicationsService } from './applications.service.js';
import { PlutoApplicationSeed } from './pluto-application.seed.js';
import { ProviderSettingsService } from './provider-settings.service.js';
import { RolesController } from './roles.controller.js';
import { RolesService } from './roles.service.js';
import { ScopesController } from './scopes.controller.js';
import { ScopesService } from './scopes.service.js';
import { UserGrantsService } from './user-grants.service.js';
import { UserRolesService } from './user-roles.service.js';

const services = [
  AdministratorsService,
  ApplicationNamesService,
  ApplicationSettingsService,
  ApplicationsService,
  PlutoApplicationSeed,
  ProviderSettingsService,
  RolesService,
  ScopesService,
  UserGrantsService,
  UserRolesService,
];

@Module({
  controllers: [ApplicationsController, ApplicationSettingsController, RolesController, ScopesController],
  providers: services,
  exports: services,
})
export class RbacModule {}
