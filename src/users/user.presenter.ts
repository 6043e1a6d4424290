import type { Identity } from './identity.entity.js';
import type { Profile } from './profile.query.js';
import type { FoundUserDto } from './user-administration.dto.js';
import type { FoundUser } from './user-directory.service.js';
import type { BindingDto, PublicUserDto, UserInfoDto } from './user.dto.js';
import type { User } from './user.entity.js';

/** Makes the URL of an account's picture; `''` for none. */
export type AvatarUrl = (user: Pick<User, 'avatarUrl' | 'avatarFile'>) => string;

/** What everybody may know of an account. */
export function presentPublicUser(user: User, avatarUrl: AvatarUrl): PublicUserDto {
  return { id: user.id, name: user.name, avatar: avatarUrl(user) };
}

/** What the owner of an account is told. */
export function presentUserInfo(
  profile: Profile,
  applicationName: string,
  avatarUrl: AvatarUrl,
): UserInfoDto {
  const bindings = countingIdentities(profile.identities);
  return {
    sub: profile.id,
    user_id: profile.handle,
    user_id_updated: profile.isHandleUpdated,
    name: profile.name,
    avatar: avatarUrl(profile),
    mail: bindings.find(({ loginType }) => loginType === 'mail')?.mail ?? '',
    role: profile.role,
    app_id: applicationName,
    verified: profile.identities.some(({ isVerified }) => isVerified),
    created_at: profile.createdAt,
    updated_at: profile.updatedAt,
    is_password_set: profile.isPasswordSet,
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
function countingIdentities(identities: Profile['identities']): Profile['identities'] {
  const confirmed = identities.filter(({ isVerified }) => isVerified);
  return confirmed.length > 0 ? confirmed : identities;
}

function presentBinding({ loginType, mail }: Pick<Identity, 'loginType' | 'mail'>): BindingDto {
  return { login_type: loginType, mail };
}
