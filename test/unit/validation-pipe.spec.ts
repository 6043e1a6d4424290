import 'reflect-metadata';
import { MaxLength } from 'class-validator';
import { Field } from '../../src/common/fields.js';
import { DtoValidationPipe } from '../../src/common/validation.pipe.js';
import { RefreshDto } from '../../src/token/token.dto.js';

const badRequestError = expect.objectContaining({ key: 'badRequest' }) as Error;
const pipe = new DtoValidationPipe();
const check = (sent: unknown, metatype: new () => object) => pipe.transform(sent, { type: 'body', metatype });

describe('a body that is checked against its DTO', () => {
  it('becomes one, without unknown fields', () => {
    const sent = { refresh_token: 't', app_id: 'pluto', scopes: null, role: 'admin' };
    const checked = check(sent, RefreshDto);
    expect(checked).toBeInstanceOf(RefreshDto);
    expect(checked).toEqual({ refresh_token: 't', app_id: 'pluto' });
  });

  it.each([
    ['a wrong field', { refresh_token: '', app_id: 'pluto' }],
    ['a missing field', { app_id: 'pluto' }],
    ['a field of its prototype', Object.create({ refresh_token: 't', app_id: 'pluto' }) as object],
    ['a list for a text', { refresh_token: ['t'], app_id: 'pluto' }],
    ['a list', []],
  ])('is refused with %s', (_, sent) => {
    expect(() => check(sent, RefreshDto)).toThrow(badRequestError);
  });

  it('must pass every rule of a field', () => {
    class Doubled {
      @MaxLength(3)
      @Field('userName', { description: 'a name' })
      name: string;
    }
    expect(() => check({ name: 'Annabel' }, Doubled)).toThrow(badRequestError);
    expect(check({ name: 'Ann' }, Doubled)).toEqual({ name: 'Ann' });
  });
});
