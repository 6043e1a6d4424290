import { AuditEvent } from './audit/audit-event.entity.js';
import { AppleGrant } from './auth/providers/apple/apple-grant.entity.js';
import { KnownDevice } from './auth/devices/known-device.entity.js';
import { LinkRequest } from './auth/links/link-request.entity.js';
import { LoginFailure } from './auth/password/login-failure.entity.js';
import { OneTimeToken } from './auth/links/one-time-token.entity.js';
import { MailChange } from './auth/mail-change/mail-change.entity.js';
import { SentNotice } from './auth/notices/sent-notice.entity.js';
import { ConsumedState } from './auth/providers/wechat/consumed-state.entity.js';
import { Mail } from './mail/mail.entity.js';
import { AuthorizationCode } from './oauth/authorization-code.entity.js';
import { ClientApplication } from './oauth/client-application.entity.js';
import { OAuthClient } from './oauth/oauth-client.entity.js';
import { ApplicationName } from './applications/application-name.entity.js';
import { ApplicationSettings } from './applications/application-settings.entity.js';
import { Application } from './applications/application.entity.js';
import { RoleScope } from './rbac/role-scope.entity.js';
import { Role } from './rbac/role.entity.js';
import { Scope } from './rbac/scope.entity.js';
import { UserRole } from './rbac/user-role.entity.js';
import { PageSession } from './token/page-session.entity.js';
import { RefreshToken } from './token/refresh-token.entity.js';
import { Session } from './token/session.entity.js';
import { SigningKey } from './token/signing-key.entity.js';
import { Identity } from './users/identity.entity.js';
import { ProviderSubject } from './users/provider-subject.entity.js';
import { SearchPart } from './users/search-part.entity.js';
import { User } from './users/user.entity.js';

/** Every table of Pluto. */
export const entities = [
  Application,
  ApplicationName,
  ApplicationSettings,
  Role,
  Scope,
  RoleScope,
  User,
  UserRole,
  Identity,
  ProviderSubject,
  SearchPart,
  AppleGrant,
  KnownDevice,
  LoginFailure,
  OneTimeToken,
  MailChange,
  SentNotice,
  LinkRequest,
  ConsumedState,
  Session,
  PageSession,
  RefreshToken,
  SigningKey,
  OAuthClient,
  ClientApplication,
  AuthorizationCode,
  Mail,
  AuditEvent,
];
