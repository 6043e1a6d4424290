import { ownPage, pageAddress } from '../../src/web/next-page.js';

describe('ownPage', () => {
  it.each([
    ['a page', '/web/login', '/web/login'],
    ['a page with a query', '/web/authorize?a=1&b=%26%20', '/web/authorize?a=1&b=%26%20'],
    ['an address in the query only', '/web/login?next=https://e.com//', '/web/login?next=https://e.com//'],
    ['an @ that separates nothing', '/web/authorize@e.com', '/web/authorize@e.com'],
    ['the same page, written roundabout', '/web/x/.././login', '/web/login'],
    ['letters that no address has', '/web/login?a="<é>', '/web/login?a=%22%3C%C3%A9%3E'],
    ['a fragment, left out', '/web/login#//e.com', '/web/login'],
    ['a tab, which browsers leave out', '/we\tb/lo\ngin', '/web/login'],
    [
      'a line break that would be another header',
      '/web/login?a\r\nset-cookie: x=y',
      '/web/login?aset-cookie:%20x=y',
    ],
    ['half a surrogate pair', '/web/login?a=\ud800', '/web/login?a=%EF%BF%BD'],
  ])('takes %s: %j', (_, text, page) => {
    expect(ownPage(text)).toBe(page);
  });

  it.each([
    '',
    '?x',
    '#x',
    'web/login',
    './web/login',
    ' /web/login',
    '\t/web/login',
    '//e.com',
    '///e.com',
    '//e.com/web/login',
    '/\\e.com',
    '\\e',
    '\\/e.com',
    '\\\\e.com',
    '/\t/e.com',
    '/\n/e.com',
    '/\r\\e.com',
    '/%2f%2fe.com',
    '/%5ce.com',
    'https:e.com',
    'https:/web/login',
    'https://e.com',
    'https://e.com/web/login',
    'https://pluto.invalid/web/login',
    '//pluto.invalid:8443/web/login',
    'javascript:alert(1)',
    'data:text/html,x',
    '/',
    '/web',
    '/web/',
    '/web//e.com',
    '/web/\\e.com',
    '/web/@e.com',
    '/web/%2f%2fe.com',
    '/web/../..//e.com',
    '/web/..//e.com',
    '/web/login/../../v1/x',
    '/web/%2e%2e/v1/x',
    '/web/.%2E/v1/x',
    '/web\\..\\v1\\x',
    '/WEB/login',
    '/webx/login',
    '/v1/user/info',
    '/docs',
    '//[',
    '//e.com:99999',
  ])('takes %j for none', (text) => {
    expect(ownPage(text)).toBe('');
  });

  // `//pluto.invalid/web/login` comes out as a path too: whatever comes out is a path here.
  it('gives back nothing but a path, even of its own stand-in for an origin', () => {
    expect(ownPage('//pluto.invalid/web/login')).toBe('/web/login');
  });

  it.each([undefined, null, 1, true, ['/web/login'], { 0: '/web/login' }])('takes %j for none', (value) => {
    expect(ownPage(value)).toBe('');
  });

  it('changes nothing in what it has given back', () => {
    const once = ownPage('/web/authorize?state=a+b%20c"<é>#x');
    expect(ownPage(once)).toBe(once);
  });
});

describe('pageAddress', () => {
  it('leaves out what is empty', () => {
    expect(pageAddress('/web/login', { app_id: 'pluto', next: '' })).toBe('/web/login?app_id=pluto');
    expect(pageAddress('/web/login', { next: '' })).toBe('/web/login');
  });

  it('keeps every character', () => {
    const next = '/web/authorize?state=a+b%20c&d=é';
    const address = pageAddress('/web/login', { next });
    expect(new URL(address, 'http://pluto.test').searchParams.get('next')).toBe(next);
  });
});
