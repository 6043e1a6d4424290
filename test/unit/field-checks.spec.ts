import 'reflect-metadata';
import { ValidationPipe } from '@nestjs/common';
import { ApiProperty } from '@nestjs/swagger';
import { IsOptional, MaxLength } from 'class-validator';
import fc from 'fast-check';
import { AccountLoginDto, RegisterDto } from '../../src/auth/auth.dto.js';
import { checkedFields, takeIfRight } from '../../src/common/field-checks.js';
import { Field } from '../../src/common/fields.js';
import { createValidationPipe } from '../../src/common/validation.pipe.js';
import { DefaultRoleDto, RoleDto } from '../../src/rbac/rbac.dto.js';
import { RefreshDto, VerifyTokenDto } from '../../src/token/token.dto.js';
import { PublicInfoQuery, UpdateUserInfoDto } from '../../src/users/user.dto.js';

type Dto = new () => object;

const dtos: Dto[] = [
  AccountLoginDto,
  DefaultRoleDto,
  RefreshDto,
  RegisterDto,
  UpdateUserInfoDto,
  VerifyTokenDto,
];

/** class-validator and class-transformer alone: what the checks at once must agree with. */
const thorough = new ValidationPipe({ transform: true, whitelist: true, stopAtFirstError: true });

function thoroughly(sent: unknown, dto: Dto): Promise<unknown> {
  return thorough.transform(sent, { type: 'body', metatype: dto }).then(
    (taken: unknown) => ({ ...(taken as object) }),
    () => 'refused',
  );
}

const values = fc.oneof(
  fc.constantFrom(
    'ann',
    'ann@example.com',
    'correct horse',
    'org.example.shop',
    '',
    ' ',
    'a b',
    '\ud800',
    '0',
  ),
  fc.constantFrom(null, undefined, true, 1, 0, -1, 2 ** 31, 1.5, Number.NaN),
  fc.constantFrom([], ['ann'], {}, { toString: 'x' }),
  fc.string({ maxLength: 300 }),
);

/** Bodies with most of the fields that the DTO has, most of them right, and some that it has not. */
function bodiesOf(dto: Dto) {
  const right = fc.constantFrom('ann@example.com', 'ann-the-first', 7);
  const field = fc.oneof({ weight: 8, arbitrary: right }, { weight: 1, arbitrary: values });
  const own = fc.record(Object.fromEntries([...checkedFields(dto)].map((name) => [name, field])), {
    requiredKeys: [],
  });
  const foreign = fc.dictionary(fc.constantFrom('unknown', 'constructor', 'toString'), values);
  return fc
    .tuple(own, foreign)
    .map((parts) => JSON.parse(JSON.stringify(Object.assign({}, ...parts))) as object);
}

describe('takeIfRight', () => {
  it.each(dtos.map((dto) => [dto.name, dto] as const))(
    'takes of a %s what class-validator takes, and nothing else',
    async (_, dto) => {
      let taken = 0;
      const bodies = bodiesOf(dto);
      const agree = fc.asyncProperty(bodies, async (body) => {
        const own = takeIfRight(body, dto);
        if (own === null) return;
        taken++;
        expect(own).toBeInstanceOf(dto);
        expect(withoutAbsent({ ...own })).toEqual(withoutAbsent(await thoroughly(body, dto)));
      });
      await fc.assert(agree, { numRuns: 3000 });
      expect(taken).toBeGreaterThan(10);
    },
  );

  it('takes a right one, without what nobody asked for', () => {
    const sent = { refresh_token: 't', app_id: 'pluto', scopes: null, role: 'admin' };
    expect({ ...takeIfRight(sent, RefreshDto) }).toEqual({ refresh_token: 't', app_id: 'pluto' });
  });

  it.each([
    ['a wrong field', { refresh_token: '', app_id: 'pluto' }, RefreshDto],
    ['a missing field', { app_id: 'pluto' }, RefreshDto],
    [
      'a field of its prototype',
      Object.create({ refresh_token: 't', app_id: 'pluto' }) as object,
      RefreshDto,
    ],
    ['a list for a text', { refresh_token: ['t'], app_id: 'pluto' }, RefreshDto],
    ['no object', 'text', RefreshDto],
    ['a list', [], UpdateUserInfoDto],
    ['fields that are checked in another way', { ids: ['1'] }, PublicInfoQuery],
    ['fields that are lists', { name: 'x', app_id: 1, scopes: [] }, RoleDto],
  ])('leaves %s to the whole check', (_, sent, dto: Dto) => {
    expect(takeIfRight(sent, dto)).toBeNull();
  });

  it('leaves a field with a second rule to the whole check', async () => {
    class Doubled {
      @MaxLength(3)
      @Field('userName', { description: 'a name' })
      name: string;
    }
    class Loosened {
      @ApiProperty()
      @IsOptional()
      @Field('userName', { description: 'a name' })
      name: string;
    }
    expect(takeIfRight({ name: 'Annabel' }, Doubled)).toBeNull();
    expect(takeIfRight({ name: 'Ann' }, Loosened)).toBeNull();
    const pipe = createValidationPipe();
    await expect(
      pipe.transform({ name: 'Annabel' }, { type: 'body', metatype: Doubled }),
    ).rejects.toMatchObject({ key: 'badRequest' });
  });
});

function withoutAbsent(taken: unknown): unknown {
  if (typeof taken !== 'object' || taken === null) return taken;
  return Object.fromEntries(Object.entries(taken).filter(([, value]) => value !== undefined));
}
