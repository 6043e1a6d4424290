import { deliveryAddress, mailKey, mailPartKey, tidyMail } from '../../src/common/mail-addresses.js';
import { isMail } from '../../src/common/text-checks.js';

describe('mailKey', () => {
  it.each([
    ['a domain in Unicode and in its xn-- form', 'ann@bücher.example', 'ann@xn--bcher-kva.example'],
    ['in capitals', 'ANN@BÜCHER.example', 'ann@XN--BCHER-KVA.EXAMPLE'],
    ['composed and decomposed', 'ann@b\u00fccher.example', 'ann@bu\u0308cher.example'],
    ['full width', 'ａｎｎ＠ｅｘａｍｐｌｅ．com', 'ann@example.com'],
    ['an ideographic full stop', 'ann@例え。jp', 'ann@xn--r8jz45g.jp'],
    ['a small commercial at', 'ann﹫example.com', 'ann@example.com'],
    ['blanks around it', ' \u3000ann@example.com\t\n', 'ann@example.com'],
    ['a ligature', 'ann@ﬁsh.example', 'ann@fish.example'],
    ['an upper-case sharp s', 'ann@FA\u1e9e.example', 'ann@faß.example'],
  ])('is the same with %s', (_, one, other) => {
    expect(mailKey(one)).toBe(mailKey(other));
  });

  it.each([
    ['ß and ss, which are two domains', 'ann@faß.example', 'ann@fass.example'],
    ['ς and σ in a domain', 'ann@φως.example', 'ann@φωσ.example'],
    ['another local part', 'ann@bücher.example', 'anne@bücher.example'],
    ['what the URL parser would cut off or decode', 'ann@a.example', 'ann@a.example/b'],
  ])('differs with %s', (_, one, other) => {
    expect(mailKey(one)).not.toBe(mailKey(other));
  });

  it.each(['ann', '', '@', 'a@', '@b', 'a@b@c.example', 'ann@xn--zz.com', 'ann@a%41.com', 'ann@x:80'])(
    'exists for %j, too, which somebody may type at a login',
    (typed) => expect(mailKey(typed)).toBe(mailKey(mailKey(typed))),
  );
});

describe('mailPartKey', () => {
  it.each([
    'ann@bücher.example',
    'ANN@XN--BCHER-KVA.EXAMPLE',
    'ann@例え。jp',
    'ann@FA\u1e9e.example',
    'ann@φως.example',
    'ann@a.b.xn--fa-hia.example',
    'ann@127.example',
    'ａｎｎ＠ｅｘａｍｐｌｅ．com',
    'Ann.Σ@example.com',
    'admin@localhost',
  ])('of the whole address is its key: %s', (mail) => expect(mailPartKey(mail)).toBe(mailKey(mail)));

  it.each([
    ['ann', 'ann'],
    ['ann@', 'ann@'],
    ['ann@xn--bcher-kva', 'ann@bücher'],
    ['ann@xn--bcher-kva.', 'ann@bücher.'],
    ['ann@XN--BCHER-KVA.exam', 'ann@bücher.exam'],
    ['ann@bü', 'ann@bü'],
    ['ann@BU\u0308cher.EX', 'ann@bücher.ex'],
    ['@mail.xn--bcher-kva.example', '@mail.bücher.example'],
    ['mail.xn--bcher-kva.ex', 'mail.bücher.ex'],
    ['xn--bcher-kva', 'bücher'],
    ['cher.example', 'cher.example'],
    ['ann@例え。j', 'ann@例え.j'],
    ['ann@1', 'ann@1'],
    ['ann@0x1f.2', 'ann@0x1f.2'],
    ['ann@xn--', 'ann@xn--'],
    ['ann@xn--bcher-kv', 'ann@xn--bcher-kv'],
    ['ann@%_*', 'ann@%_*'],
    ['Ann-XN--bcher-kva', 'ann-xn--bcher-kva'],
    ['', ''],
  ])('is found in keys: %j is %j', (part, key) => expect(mailPartKey(part)).toBe(key));
});

describe('isMail', () => {
  it('refuses domains that do not exist in DNS', () => {
    for (const mail of ['ann@xn--zz.com', 'ann@xn--a.com', `ann@${'ü'.repeat(60)}.example`])
      expect([mail, isMail(mail)]).toEqual([mail, false]);
    expect(isMail('ann@bücher.example')).toBe(true);
    expect(isMail('a＠b@example.com')).toBe(true);
    expect(isMail(tidyMail('a＠b@example.com'))).toBe(false);
  });
});

describe('deliveryAddress', () => {
  it('has the domain that the key stands for, and the local part as it was typed', () => {
    expect(deliveryAddress('Ann.Ä@BÜCHER.example')).toBe('Ann.Ä@xn--bcher-kva.example');
    expect(deliveryAddress('ann@ﬁsh.example')).toBe('ann@fish.example');
    expect(deliveryAddress('ann@xn--zz.com')).toBeNull();
  });
});
