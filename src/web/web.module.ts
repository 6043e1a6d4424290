import { Module } from '@nestjs/common';
import { AuthModule } from '../auth/auth.module.js';
import { RbacModule } from '../rbac/rbac.module.js';
import { CsrfService } from './csrf.js';
import { HomeController } from './home.controller.js';
import { MailVerificationController } from './mail-verification.controller.js';
import { Pages } from './pages.js';
import { PasswordResetController } from './password-reset.controller.js';

@Module({
  imports: [AuthModule, RbacModule],
  controllers: [HomeController, MailVerificationController, PasswordResetController],
  providers: [CsrfService, Pages],
})
export class WebModule {}
