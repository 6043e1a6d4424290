import type { Identity } from './identity.entity.js';
import type { Profile } from './profile.query.js';
import type { FoundUserDto } from './user-administration.dto.js';
import type { FoundUser } from './user-directory.service.js';
import type { BindingDto, PublicUserDto, UserInfoDto } from './user.dto.js';
import type { User } from './user.entity.js';

/** Returns the URL of an account's picture; `''` for none. */
export type AvatarUrl = (user: Pick<User, 'avatarUrl' | 'avatarFile'>) => string;

/** The public view of an account. */
export function presentPublicUser(user: User, avatarUrl: AvatarUrl): PublicUserDto {
  return { id: user.id, name: user.name, avatar: avatarUrl(user) };
}

/** The owner's view of an account. */
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

/** The administrators' view of an account. */
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

/**
 * A bound mail is shown once confirmed; the mail of a registration always, as the account has no other
 * identity.
 */
function countingIdentities(identities: Profile['identities']): Profile['identities'] {
  const confirmed = identities.filter(({ isVerified }) => isVerified);
  return confirmed.length > 0 ? confirmed : identities;
}

function presentBinding({ loginType, mail }: Pick<Identity, 'loginType' | 'mail'>): BindingDto {
  return { login_type: loginType, mail };
}
