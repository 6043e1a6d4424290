import { Field } from '../../common/fields.js';

export class ChangeMailDto {
  @Field('mail', { description: 'New email address' })
  mail: string;
}
