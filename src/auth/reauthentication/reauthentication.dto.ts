import { ChoiceField, Field } from '../../common/fields.js';
import { ID_TOKEN_EXAMPLE } from '../providers/provider-login.dto.js';
import { providerTypes, type ProviderType } from '../../users/identity.entity.js';

export class ReauthenticateDto {
  @Field('password', { description: 'Password of the account', optional: true })
  password?: string;

  @ChoiceField({
    description: 'Provider that signs in to the account',
    values: providerTypes,
    example: 'google',
    optional: true,
  })
  type?: ProviderType;

  @Field('token', {
    description: 'With the type google: the ID token',
    optional: true,
    example: ID_TOKEN_EXAMPLE,
  })
  id_token?: string;

  @Field('code', { description: 'With the types apple and wechat: the authorization code', optional: true })
  code?: string;
}
