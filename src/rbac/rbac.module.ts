import { Module } from '@nestjs/common';
import { ApplicationsModule } from '../applications/applications.module.js';
import { AdministratorsService } from './administrators.service.js';
import { DefaultRoleController } from './default-role.controller.js';
import { DefaultRoleService } from './default-role.service.js';
import { PlutoApplicationSeed } from './pluto-application.seed.js';
import { RolesController } from './roles.controller.js';
import { RolesService } from './roles.service.js';
import { ScopesController } from './scopes.controller.js';
import { ScopesService } from './scopes.service.js';
import { UserGrantsService } from './user-grants.service.js';
import { UserRolesService } from './user-roles.service.js';

const services = [
  AdministratorsService,
  DefaultRoleService,
  PlutoApplicationSeed,
  RolesService,
  ScopesService,
  UserGrantsService,
  UserRolesService,
];

@Module({
  imports: [ApplicationsModule],
  controllers: [DefaultRoleController, RolesController, ScopesController],
  providers: services,
  // Modules that use roles also use their applications.
  exports: [ApplicationsModule, ...services],
})
export class RbacModule {}
