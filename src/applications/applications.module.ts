import { Module } from '@nestjs/common';
import { ApplicationNamesService } from './application-names.service.js';
import { ApplicationSettingsController } from './application-settings.controller.js';
import { ApplicationSettingsService } from './application-settings.service.js';
import { ApplicationsController } from './applications.controller.js';
import { ApplicationsService } from './applications.service.js';
import { ProviderSettingsService } from './provider-settings.service.js';

const services = [
  ApplicationNamesService,
  ApplicationSettingsService,
  ApplicationsService,
  ProviderSettingsService,
];

@Module({
  controllers: [ApplicationsController, ApplicationSettingsController],
  providers: services,
  exports: services,
})
export class ApplicationsModule {}
