import { setTimeout as sleep } from 'node:timers/promises';
import { Mail } from '../../src/mail/mail.entity.js';
import { registration } from '../support/accounts.js';
import { LinkMailsService } from '../../src/auth/links/link-mails.service.js';
import { type Answer } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { countByCode, expectOk, expectPage } from '../support/expectations.js';
import { openForm, sendForm } from '../support/forms.js';
import { linkIn } from '../support/mailbox.js';
import {
  account,
  app,
  bind,
  confirm,
  CONFIRMED,
  DEAD,
  expectMail,
  newMail,
  ownersOf,
  pending,
  type Pending,
  register,
  skipping,
  unbind,
  useMailOwners,
} from '../support/mail-owners.js';

useMailOwners();

const ROUNDS = 20;

/** Whether the page says that the link confirmed its mail, rather than that it is invalid. */
function hasConfirmed(page: Answer): boolean {
  const isConfirmed = page.status === 200;
  expectPage(page, isConfirmed ? 200 : 404, isConfirmed ? CONFIRMED : DEAD);
  return isConfirmed;
}

describe(`at the same moment, ${ROUNDS} times`, () => {
  /** Prepares all rounds concurrently, and runs them one after the other. */
  function race<T>(
    name: string,
    prepare: () => Promise<T>,
    play: (round: T, index: number) => Promise<void>,
  ) {
    it(name, async () => {
      const rounds = await Promise.all(Array.from({ length: ROUNDS }, prepare));
      for (const [index, round] of rounds.entries()) await play(round, index);
    });
  }
  /** Confirms the link and does something else concurrently; which starts first alternates by round. */
  async function whileConfirming(owner: Pending, index: number, act: () => Promise<Answer>) {
    if (index % 2 === 0) return Promise.all([confirm(owner), act()]);
    const [answer, page] = await Promise.all([act(), confirm(owner)]);
    return [page, answer] as const;
  }

  const twoAccounts = async () => ({ mail: newMail(), owners: [await account(), await account()] });
  race(
    'two accounts binding and confirming one mail leave it to one',
    twoAccounts,
    async ({ mail, owners }) => {
      const bound = await Promise.all([...owners, ...owners].map((owner) => bind(owner, mail)));
      expect(countByCode(bound)).toEqual({ 0: 4 });
      await eventually(async () => (await app.dataSource.manager.countBy(Mail, { recipient: mail })) === 0);
      const links = (await app.mailbox.to(mail)).map(linkIn);
      const forms = await Promise.all(links.map((link) => openForm(app.client, link)));
      const tries = forms.flatMap((form) => owners.map(({ handle }) => ({ form, handle })));
      const pages = await Promise.all(
        tries.map(({ form, handle }) => sendForm(app.client, form, { user_id: handle })),
      );
      expect(pages.filter(({ text }) => text.includes(CONFIRMED))).toHaveLength(1);
      expect(await ownersOf(mail)).toMatchObject([{ isVerified: true }]);
      const again = await Promise.all(owners.map((owner) => bind(owner, mail)));
      expect(countByCode(again)).toEqual({ 2001: 1, 2007: 1 });
    },
  );

  race(
    'confirming a mail and binding it elsewhere leave it to who confirms it',
    pending,
    async (owner, index) => {
      const other = await account();
      const [page, answer] = await whileConfirming(owner, index, () => bind(other, owner.mail));
      expectPage(page, 200, CONFIRMED);
      expect([0, 2001]).toContain(answer.code);
      await expectMail(owner, owner.mail);
      expect(await ownersOf(owner.mail)).toMatchObject([{ userId: owner.id, isVerified: true }]);
    },
  );

  race('confirming a mail and binding another: the one or the other', pending, async (owner, index) => {
    const next = newMail();
    const [page, answer] = await whileConfirming(owner, index, () => bind(owner, next));
    const isConfirmed = hasConfirmed(page);
    expect(answer.code).toBe(isConfirmed ? 2007 : 0);
    await expectMail(owner, isConfirmed ? owner.mail : '');
    const owners = [await ownersOf(owner.mail), await ownersOf(next)];
    expect(owners.map(({ length }) => length)).toEqual(isConfirmed ? [1, 0] : [0, 1]);
  });

  race('confirming and unbinding a mail leave no mail', pending, async (owner, index) => {
    const [page, answer] = await whileConfirming(owner, index, () => unbind(owner));
    expectOk(answer, {});
    hasConfirmed(page);
    await expectMail(owner, '');
    expect(await ownersOf(owner.mail)).toEqual([]);
  });

  race('registering and binding a mail leave it pending for both', account, async (owner) => {
    const mail = newMail();
    const pauses = [0, 5, 10, 15, 20, 25, 30];
    const answers = await Promise.all([
      register(registration({ mail })),
      ...pauses.map((pauseMs) => sleep(pauseMs).then(() => bind(owner, mail))),
    ]);
    expect(countByCode(answers)).toEqual({ 0: 1 + pauses.length });
    expect(await ownersOf(mail)).toMatchObject([{ isVerified: false }, { isVerified: false }]);
  });
});

describe('while another account is binding the mail', () => {
  afterEach(() => jest.restoreAllMocks());

  it.each([
    ['leaves it to both', () => app, 2],
    ['confirms it and ends the other', () => skipping, 1],
  ])('binding it again comes after that, and %s', async (_, server, owners) => {
    const [owner, other] = [await pending(), await account()];
    const mails = app.app.get(LinkMailsService);
    const queue = mails.queueVerification.bind(mails);
    let taken: Promise<Answer> | undefined;
    await new Promise<void>((resolve) => {
      jest.spyOn(mails, 'queueVerification').mockImplementationOnce(async (...given) => {
        resolve();
        await sleep(100);
        return queue(...given);
      });
      taken = bind(other, owner.mail);
    });
    expectOk(await bind(owner, owner.mail, server()), {});
    expectOk(await taken!, {});
    const found = await ownersOf(owner.mail);
    expect(found).toHaveLength(owners);
    expect(found).toContainEqual(expect.objectContaining({ userId: owner.id, isVerified: owners === 1 }));
  });
});
