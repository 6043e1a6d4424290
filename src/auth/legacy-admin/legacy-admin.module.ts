import { type DynamicModule, Module } from '@nestjs/common';
import type { Settings } from '../../config/settings.js';
import { RbacModule } from '../../rbac/rbac.module.js';
import { LegacyAdminController } from './legacy-admin.controller.js';
import { LegacyResetMail } from './legacy-reset-mail.js';

/** What only the old admin app needs; nothing unless LEGACY_ADMIN is set. */
@Module({})
export class LegacyAdminModule {
  static forRoot({ legacyAdmin }: Settings): DynamicModule {
    if (!legacyAdmin) return { module: LegacyAdminModule };
    return {
      module: LegacyAdminModule,
      imports: [RbacModule],
      controllers: [LegacyAdminController],
      providers: [LegacyResetMail],
    };
  }
}
