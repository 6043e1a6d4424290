import { Module } from '@nestjs/common';
import { AuthModule } from '../auth/auth.module.js';
import { OAuthModule } from '../oauth/oauth.module.js';
import { RbacModule } from '../rbac/rbac.module.js';
import { TokenModule } from '../token/token.module.js';
import { UsersModule } from '../users/users.module.js';
import { AuthorizeController } from './authorize.controller.js';
import { BrowserDevices } from './browser-devices.js';
import { BrowserSessions } from './browser-sessions.js';
import { CsrfService } from './csrf.js';
import { HomeController } from './home.controller.js';
import { LoginController } from './login.controller.js';
import { LogoutController } from './logout.controller.js';
import { MailChangeConfirmationController } from './mail-change.controller.js';
import { MailChangeUndoController } from './mail-change-undo.controller.js';
import { MailVerificationController } from './mail-verification.controller.js';
import { PageAddresses } from './page-addresses.js';
import { Pages } from './pages.js';
import { PasswordForgotController } from './password-forgot.controller.js';
import { PasswordResetController } from './password-reset.controller.js';
import { SignInPages } from './sign-in-pages.js';
import { WechatLoginController } from './wechat-login.controller.js';

@Module({
  imports: [AuthModule, OAuthModule, RbacModule, TokenModule, UsersModule],
  controllers: [
    HomeController,
    AuthorizeController,
    LoginController,
    WechatLoginController,
    LogoutController,
    MailVerificationController,
    MailChangeConfirmationController,
    MailChangeUndoController,
    PasswordForgotController,
    PasswordResetController,
  ],
  providers: [BrowserDevices, BrowserSessions, CsrfService, PageAddresses, Pages, SignInPages],
})
export class WebModule {}
