import { deliveryFault, UndeliverableAddress } from '../../src/mail/delivery-fault.js';

/** An error as nodemailer makes it of a reply. */
function refused(command: string, response: string, code = 'EENVELOPE'): Error {
  const responseCode = Number(response.slice(0, 3));
  return Object.assign(new Error(`failed: ${response}`), { code, command, response, responseCode });
}

describe('deliveryFault', () => {
  it.each([
    ['RCPT TO', '550 no such user'],
    ['RCPT TO', '551 user not local'],
    ['RCPT TO', '556 domain does not accept mail'],
    ['RCPT TO', '550 5.1.1 unknown'],
    ['RCPT TO', '550-5.1.1 The email account that you tried to reach\r\n550 5.1.1 does not exist.'],
    ['RCPT TO', '556 5.1.10 null MX'],
    ['RCPT TO', '552 5.2.2 mailbox full'],
    ['RCPT TO', '550 5.7.17 the mailbox has changed its owner'],
    ['RCPT TO', '553 5.6.7 no addresses beyond ASCII'],
    ['MAIL FROM', '553 5.6.7 no addresses beyond ASCII'],
    ['DATA', '550 5.1.1 unknown'],
    ['DATA', '552 5.2.3 too long for this mailbox'],
  ])('gives up what the recipient causes: %s: %s', (command, response) => {
    expect(deliveryFault(refused(command, response))).toMatchObject({ kind: 'recipient', isPermanent: true });
  });

  it.each([
    ['RCPT TO', '550 5.1.8 sender domain does not resolve', 'policy'],
    ['RCPT TO', '550 5.4.5 daily sending quota exceeded', 'policy'],
    ['RCPT TO', '554 5.7.1 relay access denied', 'policy'],
    ['RCPT TO', '550 5.7.26 unauthenticated mail', 'policy'],
    ['RCPT TO', '554 refused', 'policy'],
    ['RCPT TO', '550 5.3.2 not accepting messages', 'policy'],
    ['RCPT TO', '530 5.7.0 authentication required', 'authentication'],
    ['RCPT TO', '451 4.7.1 greylisted', 'temporary'],
    ['RCPT TO', '450 4.1.1 not yet', 'temporary'],
    ['MAIL FROM', '550 5.1.1 no such sender', 'policy'],
    ['MAIL FROM', '550 5.2.1 sender disabled', 'policy'],
    ['MAIL FROM', '530 must issue STARTTLS first', 'authentication'],
    ['DATA', '554 looks like spam', 'policy'],
    ['DATA', '550 5.7.1 spam', 'policy'],
    ['DATA', '550 refused', 'policy'],
    ['EHLO', '550 5.1.1 go away', 'policy'],
    ['CONN', '554 5.1.1 no service', 'policy'],
    ['CONN', '421 too busy', 'temporary'],
  ])('retries what we or the server cause: %s: %s', (command, response, kind) => {
    expect(deliveryFault(refused(command, response))).toMatchObject({ kind, isPermanent: false });
  });

  it('tells connection, TLS and sign-in apart', () => {
    const connect = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:25'), {
      code: 'ESOCKET',
      command: 'CONN',
    });
    expect(deliveryFault(connect)).toEqual({
      kind: 'connection',
      isPermanent: false,
      reason: 'ESOCKET: connect ECONNREFUSED 127.0.0.1:25',
    });
    expect(deliveryFault(refused('STARTTLS', '454 not now', 'ETLS')).kind).toBe('tls');
    expect(deliveryFault(refused('AUTH PLAIN', '535 5.7.8 wrong', 'EAUTH')).kind).toBe('authentication');
    expect(deliveryFault(new UndeliverableAddress('SMTPUTF8')).isPermanent).toBe(true);
    expect(deliveryFault(new Error('disk full'))).toMatchObject({ kind: 'internal', isPermanent: false });
    expect(deliveryFault('text')).toMatchObject({ kind: 'internal', isPermanent: false });
  });

  it('gives the reason on one line, without what others must not read', () => {
    const token = 'Jq0s3kZ5v0cU9nF2m1bq7uYwXg4hT6eR8aKpLdVzQ_M';
    const response = `554-5.7.1 <ann@example.com>: blocked\r\n554 5.7.1 http://pluto.test/web/x/${token} ${token} hunter2 pluto.test/${token}`;
    const { reason } = deliveryFault(refused('DATA', response, 'EMESSAGE'), ['hunter2']);
    expect(reason).toBe(
      'EMESSAGE: DATA: 554-5.7.1 <[address]>: blocked 554 5.7.1 [link] […] [secret] pluto.[…]',
    );
  });

  it('cuts a long reason to what the outbox can hold', () => {
    expect(deliveryFault(refused('DATA', `554 ${'spam '.repeat(100)}`)).reason.length).toBe(255);
  });
});
