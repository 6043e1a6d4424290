import { createSign, generateKeyPairSync } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { encodedHeader, payloadIfSigned, signCompact } from '../../src/token/compact-jws.js';
import { encodePart } from '../support/tokens.js';

const own = generateKeyPairSync('rsa', { modulusLength: 2048 });
const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 });
const header = encodedHeader('own');
const payload = { sub: 7, name: 'Zoë', exp: 4102444800 };

const signedAs = (first: string, second: string, key = own.privateKey) =>
  `${first}.${second}.${createSign('RSA-SHA256').update(`${first}.${second}`).sign(key, 'base64url')}`;
const isGoodToJsonwebtoken = (token: string) => {
  try {
    return jwt.verify(token, own.publicKey, { algorithms: ['RS256'] }) !== undefined;
  } catch {
    return false;
  }
};

describe('signCompact', () => {
  it('makes tokens that jsonwebtoken reads', async () => {
    const token = await signCompact(header, payload, own.privateKey);
    const options = { algorithms: ['RS256' as const], complete: true as const };
    expect(jwt.verify(token, own.publicKey, options)).toMatchObject({
      header: { alg: 'RS256', typ: 'JWT', kid: 'own' },
      payload,
    });
  });
});

describe('payloadIfSigned', () => {
  let good: string;
  beforeAll(async () => (good = await signCompact(header, payload, own.privateKey)));

  it('reads what was signed', async () => {
    expect(await payloadIfSigned(good, header, own.publicKey)).toEqual(payload);
    expect(await payloadIfSigned(signedAs(header, encodePart(payload)), header, own.publicKey)).toEqual(
      payload,
    );
  });

  const parts = () => good.split('.') as [string, string, string];
  const other = encodePart({ ...payload, sub: 8 });
  const forged: Record<string, () => string> = {
    'an altered payload': () => [parts()[0], other, parts()[2]].join('.'),
    'the signature of another key': () => signedAs(header, encodePart(payload), stranger.privateKey),
    'no signature': () => `${parts()[0]}.${parts()[1]}.`,
    'no third part': () => `${parts()[0]}.${parts()[1]}`,
    'a fourth part': () => `${good}.${parts()[2]}`,
    'an empty fourth part': () => `${good}.`,
    'a character in the signature that is not base64url': () => `${good.slice(0, -3)}*${good.slice(-3)}`,
    'the signature in base64': () => `${parts()[0]}.${parts()[1]}.${parts()[2]}==`,
    'a signature that is cut short': () => good.slice(0, -8),
    'a longer signature': () => `${good}AAAA`,
    'white space at its end': () => `${good}\n`,
    'white space at its beginning': () => ` ${good}`,
    'no header': () => `.${parts()[1]}.${parts()[2]}`,
    'a header that begins as ours': () => good.replace('.', 'A.'),
    'the algorithm none': () => `${encodePart({ alg: 'none', typ: 'JWT', kid: 'own' })}.${parts()[1]}.`,
    nothing: () => '',
    'points alone': () => '..',
  };
  it.each(Object.entries(forged))('refuses %s, as jsonwebtoken does', async (_, make) => {
    expect(await payloadIfSigned(make(), header, own.publicKey)).toBeNull();
    expect(isGoodToJsonwebtoken(make())).toBe(false);
  });

  const strange: Record<string, () => string> = {
    'another header, although it is signed': () =>
      signedAs(encodePart({ kid: 'own', typ: 'JWT', alg: 'RS256' }), encodePart(payload)),
    'a header that names more, although it is signed': () =>
      signedAs(encodePart({ alg: 'RS256', typ: 'JWT', kid: 'own', crit: ['b64'] }), encodePart(payload)),
    'what is not JSON, although it is signed': () => signedAs(header, 'e30x'),
  };
  it.each(Object.entries(strange))('refuses %s', async (_, make) => {
    expect(await payloadIfSigned(make(), header, own.publicKey)).toBeNull();
  });

  it('tells good ones from bad ones that come at the same moment, few or many', async () => {
    const bad = [parts()[0], other, parts()[2]].join('.');
    for (const count of [1, 2, 3, 4, 5, 50]) {
      const tokens = Array.from({ length: count }, (_, number) => (number % 3 === 1 ? bad : good));
      const payloads = await Promise.all(
        tokens.map((token) => payloadIfSigned(token, header, own.publicKey)),
      );
      expect(payloads).toEqual(tokens.map((token) => (token === good ? payload : null)));
    }
  });

  it('refuses each token with one character of another kind', async () => {
    // Of the last character only the first two bits count.
    for (let at = 0; at < good.length - 1; at++) {
      const altered = good.slice(0, at) + (good[at] === 'A' ? 'B' : 'A') + good.slice(at + 1);
      expect(await payloadIfSigned(altered, header, own.publicKey)).toBeNull();
    }
  });
});
