import fc from 'fast-check';
import { parse } from 'fast-querystring';
import { parseQuery } from '../../src/common/http/query-string.js';

const piece = fc.oneof(fc.constantFrom('=', '&', '%', '+', '%41', '__proto__', 'a', ''), fc.string());
const query = fc.array(piece).map((pieces) => pieces.join(''));

describe('the query of a request', () => {
  it.each(['', '=', '=x', 'a', 'a=', 'a=b=c', 'a=b&a=c', 'a=%zz', 'a=b+c', '__proto__=x', 'token=eyJ.a-b_c'])(
    'is read as Fastify reads it: %s',
    (text) => {
      expect(parseQuery(text)).toEqual(parse(text));
      expect(Object.keys(parseQuery(text))).toEqual(Object.keys(parse(text)));
    },
  );

  it('is read as Fastify reads it, whatever it is', () => {
    fc.assert(
      fc.property(query, (text) => {
        expect(Object.entries(parseQuery(text))).toEqual(Object.entries(parse(text)));
      }),
    );
  });

  it('inherits nothing', () => {
    expect(Object.getPrototypeOf(parseQuery('__proto__=x'))).toBeNull();
  });
});
