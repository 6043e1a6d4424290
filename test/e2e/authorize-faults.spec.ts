import { Browser } from '../support/browser.js';
import {
  addClient,
  app,
  BACK,
  CHALLENGE,
  countGrants,
  EVIL,
  expectNoWay,
  fragment,
  open,
  type Parameters,
  PATH,
  query,
  reader,
  REGISTERED,
  request,
  STATE,
  useAuthorizations,
} from '../support/authorizations.js';

useAuthorizations();

describe('an invalid request that is reported to the client', () => {
  it.each([
    ['another response type', { response_type: 'id_token' }, 'unsupported_response_type', '1001'],
    ['both response types', { response_type: 'code token' }, 'unsupported_response_type', '1001'],
    ['no response type', { response_type: undefined }, 'unsupported_response_type', '1001'],
    ['an unknown application', { app_id: 'org.example.unknown' }, 'invalid_request', '4005'],
    ['an impossible application', { app_id: 'pluto\0' }, 'invalid_request', '4005'],
    ['no application', { app_id: undefined }, 'invalid_request', '4005'],
    ['a challenge without method', { code_challenge: CHALLENGE }, 'invalid_request', '1001'],
    [
      'a plain challenge',
      { code_challenge: CHALLENGE, code_challenge_method: 'plain' },
      'invalid_request',
      '1001',
    ],
    [
      's256 in small letters',
      { code_challenge: CHALLENGE, code_challenge_method: 's256' },
      'invalid_request',
      '1001',
    ],
    [
      'a malformed challenge',
      { code_challenge: 'x', code_challenge_method: 'S256' },
      'invalid_request',
      '1001',
    ],
    ['a method without challenge', { code_challenge_method: 'S256' }, 'invalid_request', '1001'],
    ['a malformed life time', { life_time: 'long' }, 'invalid_request', '1001'],
    ['a broken life time', { life_time: '60.5' }, 'invalid_request', '1001'],
  ])('%s', async (_, change: Parameters, error, error_code) => {
    const refusal = { error, error_code, state: STATE };
    expect(query(await open(change))).toEqual(refusal);
    expect(query(await open(change, new Browser(app.url)))).toEqual(refusal);
    const { _csrf = '' } = (await open()).forms[0]!.fields;
    expect(query(await reader.post(PATH, { ...request(change), _csrf, decision: 'allow' }))).toEqual(refusal);
  });

  it.each([
    ['a challenge for a token', { code_challenge: CHALLENGE, code_challenge_method: 'S256' }, '1001'],
    ['an unknown application for a token', { app_id: 'org.example.unknown' }, '4005'],
  ])('%s', async (_, change, error_code) => {
    const refusal = { error: 'invalid_request', error_code, state: STATE };
    expect(fragment(await open({ ...change, response_type: 'token' }))).toEqual(refusal);
  });
});

describe('a request that is not redirected', () => {
  beforeAll(async () => {
    await addClient('pending', { status: 'pend' });
    await addClient('denied', { status: 'denied' });
  });

  /** Opens the page signed in and not, and posts the form as the page would. */
  async function expectRefused(search: string, status: number, text: string): Promise<void> {
    const before = await countGrants();
    for (const by of [reader, new Browser(app.url)])
      expectNoWay(await by.get(`${PATH}?${search}`), status, text);
    const { _csrf = '' } = (await open()).forms[0]!.fields;
    for (const decision of ['allow', 'deny']) {
      const fields = [...new URLSearchParams(search), ['_csrf', _csrf], ['decision', decision]] as [
        string,
        string,
      ][];
      expectNoWay(await reader.post(PATH, fields), status, text);
    }
    expect(await countGrants()).toEqual(before);
  }
  const searchOf = (change: Parameters) => new URLSearchParams(request(change)).toString();

  it.each(['unknown', 'pending', 'denied', 'DESK', 'desk ', ' desk', 'desk\0', '\0', undefined, '', EVIL])(
    'for the client %j',
    async (client_id) => expectRefused(searchOf({ client_id }), 403, 'App not approved'),
  );

  it.each([
    ...[
      'https://e.com',
      'https://e.com/back',
      `${BACK}/`,
      `${BACK}/sub`,
      `${BACK}?x=1`,
      `${BACK}#x`,
      `${BACK}?`,
    ],
    ...[
      'https://client.example./back',
      'https://client.example:443/back',
      'https://client.example:8443/back',
    ],
    ...['https://CLIENT.example/back', 'https://client.example/Back', 'HTTPS://client.example/back'],
    ...['http://client.example/back', 'https://client.example@e.com', 'https://client.example@e.com/back'],
    ...[
      'https://client.example\\@e.com/back',
      'https://client.example.e.com/back',
      'https://sub.client.example/back',
    ],
    ...['https://client.example/%62ack', 'https://client.example/x/../back', 'https://client.example//back'],
    ...[
      encodeURIComponent(BACK),
      ` ${BACK}`,
      `${BACK} `,
      `${BACK}\0`,
      `${BACK}\n`,
      '//client.example/back',
      '/back',
    ],
    ...['/web/login', 'javascript:alert(1)', 'data:text/html,x', REGISTERED.tenant, EVIL],
  ])('for the redirect URI %j', async (redirect_uri) =>
    expectRefused(searchOf({ redirect_uri }), 403, 'Invalid return address'),
  );

  it.each([undefined, ''])('for a page without redirect URI: %j', async (redirect_uri) => {
    for (const by of [reader, new Browser(app.url)])
      expectNoWay(await open({ redirect_uri }, by), 403, 'Invalid return address');
  });

  it.each([
    ...['client_id', 'app_id', 'redirect_uri', 'response_type', 'state', 'scopes', 'scope', 'life_time'],
    ...['code_challenge', 'code_challenge_method'],
  ])('for two of %s', async (name) => {
    const value = request()[name] ?? 'x';
    const twice = new URLSearchParams([
      ...Object.entries(request({ [name]: value })),
      [name, value],
    ]).toString();
    await expectRefused(twice, 400, 'Bad request');
  });

  it('for a state of more than 4096 characters', async () => {
    await expectRefused(searchOf({ state: 's'.repeat(4097) }), 400, 'Bad request');
  });
});
