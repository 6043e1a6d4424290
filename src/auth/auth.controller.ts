import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import { Public } from '../common/access.js';
import { CurrentCaller, type Caller } from '../common/caller.js';
import { Operation } from '../common/operation.js';
import { badRequest } from '../common/validation.pipe.js';
import { LimitedByAddress } from '../limits/address-limit.guard.js';
import { TokenPairDto } from '../token/token.dto.js';
import { presentTokenPair } from '../token/token.presenter.js';
import {
  AccountLoginDto,
  PasswordResetMailDto,
  RegisterDto,
  RegisteredDto,
  VerificationMailDto,
} from './auth.dto.js';
import { MailVerificationService } from './registration/mail-verification.service.js';
import { PasswordLoginService } from './password/password-login.service.js';
import { PasswordResetService } from './password/password-reset.service.js';
import { RegistrationService } from './registration/registration.service.js';

@ApiTags('User Authentication')
@Public()
@Controller('v1/user')
export class AuthController {
  constructor(
    private readonly registrations: RegistrationService,
    private readonly verifications: MailVerificationService,
    private readonly passwordLogins: PasswordLoginService,
    private readonly passwordResets: PasswordResetService,
  ) {}

  @Post('register')
  @LimitedByAddress('register-address')
  @HttpCode(200)
  @Operation({
    summary: 'Register user with email',
    description: 'Register a new user account with email',
    answer: RegisteredDto,
    errors: ['applicationNotExist', 'mailAlreadyRegistered', 'userIdExists', 'serviceUnavailable'],
  })
  async register(@Body() body: RegisterDto, @CurrentCaller() caller: Caller): Promise<RegisteredDto> {
    const { mail, isVerified } = await this.registrations.register(
      {
        applicationName: body.app_id,
        mail: body.mail,
        handle: body.user_id,
        name: body.name,
        password: body.password,
      },
      caller,
    );
    return { mail, verified: isVerified };
  }

  @Post('register/verify/mail')
  @LimitedByAddress('mail-address')
  @HttpCode(200)
  @ApiBody({
    type: VerificationMailDto,
    description: '`mail` or `user_id` is required; an unknown one gets the same answer and no mail is sent.',
  })
  @Operation({
    summary: 'Send registration verification mail',
    description: 'Send verification email for user registration',
    errors: ['applicationNotExist', 'mailAlreadyVerified'],
  })
  async sendVerificationMail(
    @Body() body: VerificationMailDto,
    @CurrentCaller() caller: Caller,
  ): Promise<void> {
    const { app_id: applicationName, mail, user_id: handle } = body;
    if (mail === undefined && handle === undefined) throw badRequest(['mail or user_id is required']);
    await this.verifications.sendAgain(applicationName, { mail, handle }, caller);
  }

  @Post('login/account')
  @LimitedByAddress('login-address')
  @HttpCode(200)
  @Operation({
    summary: 'Login with email or username',
    description: 'Authenticate user with email/username and password',
    answer: TokenPairDto,
    errors: ['applicationNotExist', 'invalidPassword', 'mailNotVerified', 'serviceUnavailable'],
  })
  async loginWithAccount(
    @Body() body: AccountLoginDto,
    @CurrentCaller() caller: Caller,
  ): Promise<TokenPairDto> {
    const { app_id: applicationName, account, password, device_id: deviceId } = body;
    return presentTokenPair(
      await this.passwordLogins.login({
        applicationName,
        account,
        password,
        caller,
        device: { id: deviceId },
      }),
    );
  }

  @Post('password/reset/mail')
  @LimitedByAddress('mail-address')
  @HttpCode(200)
  @ApiBody({
    type: PasswordResetMailDto,
    description: 'An unknown `mail` is answered alike and no mail is sent.',
  })
  @Operation({
    summary: 'Send password reset mail',
    description: 'Send password reset email to user',
    errors: ['applicationNotExist'],
  })
  async sendPasswordResetMail(
    @Body() body: PasswordResetMailDto,
    @CurrentCaller() caller: Caller,
  ): Promise<void> {
    await this.passwordResets.sendMail(body.app_id, body.mail, caller);
  }
}
