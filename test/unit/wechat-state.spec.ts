import { createHmac, randomBytes } from 'node:crypto';
import { openState, returnHashOf, signState } from '../../src/auth/providers/wechat/wechat-state.js';

const key = randomBytes(32);
const STATE_DIGITS = 112;
const UINT32_MAX = 2 ** 32 - 1;
const remembered = {
  applicationId: 7,
  returnHash: returnHashOf('https://shop.example/in'),
  expiresAt: 1_767_229_200,
};

/** The same state with one of its hex digits changed in one bit. */
function flipped(state: string, position: number): string {
  const digit = (parseInt(state[position]!, 16) ^ 1).toString(16);
  return state.slice(0, position) + digit + state.slice(position + 1);
}

describe('a state of WeChat', () => {
  it.each([
    ['an ordinary one', remembered],
    ['without a URL to return to', { ...remembered, returnHash: returnHashOf('') }],
    ['with the smallest numbers', { ...remembered, applicationId: 0, expiresAt: 0 }],
    ['with the largest numbers', { ...remembered, applicationId: UINT32_MAX, expiresAt: UINT32_MAX }],
    ['long expired, which the caller looks at', { ...remembered, expiresAt: 1 }],
  ])('opens to what was signed: %s', (_what, state) => {
    expect(openState(key, signState(key, state))).toEqual({
      ...state,
      nonce: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
  });

  it('has at most the 128 letters and digits that WeChat takes', () => {
    expect(signState(key, remembered)).toMatch(/^[0-9a-f]{112}$/);
  });

  it('is one of a kind, however often the same is signed', () => {
    const states = Array.from({ length: 1000 }, () => signState(key, remembered));
    expect(new Set(states).size).toBe(states.length);
    expect(new Set(states.map((state) => openState(key, state)?.nonce)).size).toBe(states.length);
  });

  it('does not open with any digit changed', () => {
    const state = signState(key, remembered);
    const opened = Array.from({ length: STATE_DIGITS }, (_, position) =>
      openState(key, flipped(state, position)),
    );
    expect(opened).toEqual(Array.from({ length: STATE_DIGITS }, () => null));
    expect(openState(key, state)).not.toBeNull();
  });

  it.each<[string, (state: string) => string]>([
    ['nothing', () => ''],
    ['a digit less', (state) => state.slice(0, -1)],
    ['a byte less', (state) => state.slice(0, -2)],
    ['a byte less at the front', (state) => state.slice(2)],
    ['without its signature', (state) => state.slice(0, 80)],
    ['a byte more', (state) => `${state}00`],
    ['a byte more at the front', (state) => `00${state}`],
    ['twice', (state) => state + state],
    ['in capitals', (state) => state.replace(/[a-f]/g, (digit) => digit.toUpperCase())],
    ['with a blank before', (state) => ` ${state}`],
    ['with a line break behind', (state) => `${state}\n`],
    ['with something that is no digit', (state) => `g${state.slice(1)}`],
    ['with a wide digit', (state) => `１${state.slice(1)}`],
    ['as base64url', (state) => Buffer.from(state, 'hex').toString('base64url')],
    ['random digits of its length', () => randomBytes(STATE_DIGITS / 2).toString('hex')],
    ['zeros', () => '0'.repeat(STATE_DIGITS)],
    ['signed with another key', () => signState(randomBytes(32), remembered)],
    ['signed with an empty key', () => signState(Buffer.alloc(0), remembered)],
    [
      'with the signature of another state',
      (state) => state.slice(0, 80) + signState(key, remembered).slice(80),
    ],
    [
      'with a digest that needs no key',
      (state) => {
        const payload = Buffer.from(state.slice(0, 80), 'hex');
        return state.slice(0, 80) + createHmac('sha256', '').update(payload).digest('hex').slice(0, 32);
      },
    ],
  ])('does not open as %s', (_what, change) => {
    const state = signState(key, remembered);
    const changed = change(state);
    expect(changed).not.toBe(state);
    expect(openState(key, changed)).toBeNull();
  });
});

describe('the hash of a URL to return to', () => {
  it('is the same for the same URL and another for any other', () => {
    const urls = [
      '',
      'https://shop.example/in',
      'https://shop.example/in/',
      'https://shop.example/IN',
      'https://shop.example/in?a=1',
      'http://shop.example/in',
      'https://shop.example/%69n',
    ];
    const hashes = urls.map(returnHashOf);
    expect(new Set(hashes).size).toBe(urls.length);
    expect(urls.map(returnHashOf)).toEqual(hashes);
    for (const hash of hashes) expect(hash).toMatch(/^[0-9a-f]{32}$/);
  });
});
