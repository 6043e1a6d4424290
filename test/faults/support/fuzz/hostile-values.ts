import fc from 'fast-check';

/** What is put into an address as it is, without encoding. */
export class RawText {
  constructor(readonly text: string) {}
}

const LONE_SURROGATES = ['\ud800', 'a\udc00b', '\udfff\ud800'];
const CONTROL = ['\0', 'a\0b', '\r\nSet-Cookie: a=b', '\u0007\u001b[31m', '\u2028', '\u202e\u200b', '\ufeff'];
const FRAGMENTS = [
  "' OR '1'='1",
  '"; DROP TABLE user; --',
  '%_%',
  '\\',
  '<script>alert(1)</script>',
  '{{constructor}}',
  '${7*7}',
  '../../etc/passwd',
  '..',
  '.',
  'a/b?c#d',
  '__proto__',
  'constructor',
  'null',
  'undefined',
  'true',
  '[object Object]',
];
const UNICODE = ['İ', 'ß', 'é', 'e\u0301', '👩‍👩‍👧‍👦', '\u{10ffff}', 'ﬀ', '测试', 'ا', '\u00a0', ' '];
const NUMBERS = ['-1', '0', '1e3', '0x10', '1.5', '٣', '99999999999999999999', '2147483648', '+1', ' 1'];

export const hostileTexts: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom('', ...LONE_SURROGATES, ...CONTROL, ...FRAGMENTS, ...UNICODE, ...NUMBERS),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom('h', '好', '\ud83d').map((unit) => unit.repeat(300)),
  fc.constantFrom(1025, 4097, 9000).map((length) => 'x'.repeat(length)),
);

/** Wrong types, wrong sizes, wrong shapes. */
export const hostileValues: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 6, arbitrary: hostileTexts },
  {
    weight: 4,
    arbitrary: fc.constantFrom<unknown>(
      ...[null, true, false, 0, -1, 1.5, 2 ** 31, 2 ** 53, -(2 ** 63), 1e308, 1e-7],
      ...[[], {}, [null], [[]], [''], ['a', 'a'], { length: 5 }, { toString: 1 }, { $ne: null }],
    ),
  },
  { weight: 1, arbitrary: fc.array(hostileTexts, { maxLength: 4 }) },
  { weight: 1, arbitrary: fc.array(fc.integer(), { maxLength: 120 }) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 4 }) },
  { weight: 1, arbitrary: fc.constantFrom(...[5, 30, 300].map(nested)) },
);

/** What cannot be written with correct encoding. */
export const rawTexts: fc.Arbitrary<RawText> = fc
  .constantFrom(
    '%',
    '%zz',
    '%E0%A4%A',
    '%00',
    '%c0%ae',
    '%ff',
    '%2e%2e%2f',
    '%u0041',
    '%ED%A0%80',
    '+',
    '%2500',
  )
  .map((text) => new RawText(text));

function nested(depth: number): unknown {
  let value: unknown = 'deep';
  for (let level = 0; level < depth; level++) value = level % 2 === 0 ? [value] : { a: value };
  return value;
}

/** Bodies that are no list of fields: broken, odd and large JSON, and what is none. */
export const hostileBodies: fc.Arbitrary<Buffer> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc
      .constantFrom(
        ...[
          '',
          ' ',
          '{',
          '{"a":1',
          '{"a":1}}',
          '[]',
          'null',
          '1',
          '"text"',
          'true',
          '{"a":1,"a":2}',
          '{a:1}',
        ],
        ...['{"__proto__":{"a":1}}', '{"constructor":{"prototype":1}}', '\ufeff{}', "{'a':1}", '{"a":NaN}'],
        ...['{"app_id":1e999}', '{"mail":"\\ud800"}', '{"a":"\0"}', 'a=1&b=2', 'a=%zz', '=&=&', '<a/>'],
        '['.repeat(2000),
        `{"a":${'['.repeat(500)}${']'.repeat(500)}}`,
        JSON.stringify(Array.from({ length: 8000 }, () => 0)),
      )
      .map((text) => Buffer.from(text)),
  },
  { weight: 2, arbitrary: fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)) },
  { weight: 1, arbitrary: fc.constantFrom(65_536, 70_000).map((size) => Buffer.alloc(size, 'x')) },
  { weight: 1, arbitrary: fc.constant(Buffer.from(JSON.stringify({ name: 'x'.repeat(66_000) }))) },
);

export const contentTypes = [
  'application/json; charset=utf-8',
  'application/json; charset=latin1',
  'application/json;charset="UTF-16"',
  'APPLICATION/JSON',
  'application/json;',
  'application/json; charset',
  'application/x-www-form-urlencoded',
  'application/x-www-form-urlencoded; charset=utf-8',
  'application/problem+json',
  'multipart/form-data; boundary=a',
  'multipart/form-data',
  'text/plain',
  'text/html',
  'application/octet-stream',
  'application',
  '/',
  ';',
  'a/b, application/json',
  'x'.repeat(2000),
];

export const acceptHeaders = [
  'application/json',
  'text/html',
  'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
  'application/json;q=0.1, text/html;q=0.2',
  'image/png',
  '*/*',
  'text/*',
  ';;;',
  '',
];
