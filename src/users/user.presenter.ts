import type { Identity } from './identity.entity.js';
import type { Profile } from './profile.service.js';
import type { FoundUserDto } from './user-administration.dto.js';
import type { FoundUser } from './user-directory.service.js';
import type { BindingDto, PublicUserDto, UserInfoDto } from './user.dto.js';
import type { User } from './user.entity.js';

/** Makes the URL of an account's picture; `''` for none. */
export type AvatarUrl = (user: User) => string;

/** What everybody may know of an account. */
export function presentPublicUser(user: User, avatarUrl: AvatarUrl): PublicUserDto {
  return { id: user.id, name: user.name, avatar: avatarUrl(user) };
}

/** What the owner of an account is told. */
export function presentUserInfo(
  { user, identities, role }: Profile,
  applicationName: string,
  avatarUrl: AvatarUrl,
): UserInfoDto {
  const bindings = countingIdentities(identities);
  return {
    sub: user.id,
    user_id: user.handle,
    user_id_updated: user.isHandleUpdated,
    name: user.name,
    avatar: avatarUrl(user),
    mail: bindings.find(({ loginType }) => loginType === 'mail')?.mail ?? '',
    role,
    app_id: applicationName,
    verified: identities.some(({ isVerified }) => isVerified),
    created_at: user.createdAt,
    updated_at: user.updatedAt,
    is_password_set: user.passwordHash !== null,
    bindings: bindings.map(presentBinding),
  };
}

/** What administrators are told of an account. */
export function presentFoundUser(
  { user, identities, application, role }: FoundUser,
  avatarUrl: AvatarUrl,
): FoundUserDto {
  return {
    id: user.id,
    user_id: user.handle,
    name: user.name,
    avatar: avatarUrl(user),
    applications: [{ id: application.id, name: application.name, roles: role ? [role] : [] }],
    bindings: countingIdentities(identities).map(presentBinding),
  };
}

/** A mail that was bound counts when it is confirmed; that of a registration is all that the account has. */
function countingIdentities(identities: Identity[]): Identity[] {
  const confirmed = identities.filter(({ isVerified }) => isVerified);
  return confirmed.length > 0 ? confirmed : identities;
}

function presentBinding({ loginType, mail }: Identity): BindingDto {
  return { login_type: loginType, mail };
}
