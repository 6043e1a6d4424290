import 'reflect-metadata';
import { SetMetadata, type ExecutionContext, type Type } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { RouteMetadata } from '../../src/common/route-metadata.js';

const KEY = 'test:colour';

@SetMetadata(KEY, 'red')
class Red {
  plain(): void {}
  @SetMetadata(KEY, 'blue')
  blue(): void {}
}

class Colourless {
  plain(): void {}
}

/** Takes over the methods of another controller, and says something else of them. */
@SetMetadata(KEY, 'green')
class Green extends Red {}

function route(controller: Type, method: string): ExecutionContext {
  const handler: unknown = (controller.prototype as Record<string, unknown>)[method];
  return { getClass: () => controller, getHandler: () => handler } as ExecutionContext;
}

describe('what decorators say of a route', () => {
  const colours = new RouteMetadata<string>(KEY);

  it.each([
    [Red, 'plain', 'red'],
    [Red, 'blue', 'blue'],
    [Colourless, 'plain', undefined],
    [Green, 'plain', 'green'],
    [Green, 'blue', 'blue'],
  ] as [Type, string, string | undefined][])(
    'is of the method, else of its controller',
    (controller, method, colour) => {
      for (let time = 0; time < 2; time++) expect(colours.of(route(controller, method))).toBe(colour);
    },
  );

  it('is looked for once, also where there is nothing', () => {
    const asked = jest.spyOn(Reflector.prototype, 'getAllAndOverride');
    const once = new RouteMetadata<string>(KEY);
    for (const controller of [Red, Colourless]) {
      for (let time = 0; time < 3; time++) once.of(route(controller, 'plain'));
    }
    expect(asked).toHaveBeenCalledTimes(2);
    asked.mockRestore();
  });
});
