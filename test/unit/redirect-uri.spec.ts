import { isRegisteredRedirectUri } from '../../src/oauth/redirect-uri.js';

describe('a redirect URI', () => {
  it.each([
    ['https://desk.example/back', 'https://desk.example/back'],
    ['http://127.0.0.1:51004/back', 'http://127.0.0.1/back'],
    ['http://127.0.0.1/back', 'http://127.0.0.1:8099/back'],
    ['http://127.0.0.1:1/back?x=1', 'http://127.0.0.1:8099/back?x=1'],
    ['http://127.0.0.1:65535', 'http://127.0.0.1'],
    ['http://[::1]:51004/back', 'http://[::1]:8099/back'],
    ['http://[::1]/', 'http://[::1]:8099/'],
  ])('%s is the registered %s', (uri, registered) => {
    expect(isRegisteredRedirectUri(uri, registered)).toBe(true);
  });

  it.each([
    ['https://desk.example:8443/back', 'https://desk.example/back'],
    ['http://localhost:51004/back', 'http://localhost:8099/back'],
    ['https://127.0.0.1:51004/back', 'https://127.0.0.1/back'],
    ['http://127.0.0.1:51004/Back', 'http://127.0.0.1/back'],
    ['http://127.0.0.1:51004/back/', 'http://127.0.0.1/back'],
    ['http://127.0.0.1:51004/back?x=1', 'http://127.0.0.1/back'],
    ['http://127.0.0.1:51004#x', 'http://127.0.0.1'],
    ['http://127.0.0.1:51004/back', 'http://[::1]/back'],
    ['http://127.0.0.1:65536/back', 'http://127.0.0.1/back'],
    ['http://127.0.0.1:/back', 'http://127.0.0.1/back'],
    ['http://127.0.0.1:80:81/back', 'http://127.0.0.1/back'],
    ['http://127.0.0.1:80@evil.example/back', 'http://127.0.0.1/back'],
    ['http://127.0.0.1:80.evil.example/back', 'http://127.0.0.1/back'],
    ['http://127.0.0.1.evil.example:80/back', 'http://127.0.0.1/back'],
    ['http://127.0.0.2:80/back', 'http://127.0.0.1/back'],
    ['http://2130706433:80/back', 'http://127.0.0.1/back'],
    ['HTTP://127.0.0.1:80/back', 'http://127.0.0.1/back'],
    ['http://127.0.0.1:80\\@evil.example/back', 'http://127.0.0.1/back'],
    ['', 'http://127.0.0.1/back'],
  ])('%s is not the registered %s', (uri, registered) => {
    expect(isRegisteredRedirectUri(uri, registered)).toBe(false);
  });
});
