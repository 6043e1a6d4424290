import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { simpleParser, type ParsedMail } from 'mailparser';
import { eventually } from './eventually.js';

/** The mails that a server without SMTP wrote to its outbox folder. */
export class Mailbox {
  /** By file: a mail does not change once it is there, and waiting looks at all of them again and again. */
  private readonly parsed = new Map<string, Promise<ParsedMail>>();

  constructor(private readonly folder: string) {}

  /** All mails to the address so far, oldest first. */
  async to(address: string): Promise<ParsedMail[]> {
    const files = await readdir(this.folder).catch(() => []);
    const mails = await Promise.all(
      files
        .filter((file) => file.endsWith('.eml'))
        .sort()
        .map((file) => this.parse(file)),
    );
    return mails.filter((mail) =>
      [mail.to].flat().some((to) => to?.value.some((one) => one.address === address)),
    );
  }

  /** Waits for the `count`th mail to the address. */
  waitFor(address: string, count = 1): Promise<ParsedMail> {
    return eventually(async () => (await this.to(address))[count - 1], `mail ${count} to ${address}`);
  }

  /** The path of the link in the `count`th mail to the address; notices, whose link everyone knows, are skipped. */
  async linkTo(address: string, count = 1): Promise<string> {
    const mail = await eventually(
      async () => (await this.to(address)).filter((one) => !isNotice(one))[count - 1],
      `mail ${count} with a link to ${address}`,
    );
    return linkIn(mail);
  }

  private parse(file: string): Promise<ParsedMail> {
    const known = this.parsed.get(file);
    if (known) return known;
    const parsed = readFile(join(this.folder, file)).then((message) => simpleParser(message));
    this.parsed.set(file, parsed);
    return parsed;
  }
}

/** Whether a mail tells of a change to the ways to sign in. */
export function isNotice(mail: ParsedMail): boolean {
  return /\/web\/password\/forgot\?/.test(mail.text ?? '');
}

/** The path of the link in a mail, without the server's address. */
export function linkIn(mail: ParsedMail): string {
  const link = /https?:\/\/[^\s/]+((?:\/[\w.~-]+)*?\/web\/\S+)/.exec(mail.text ?? '')?.[1];
  if (!link) throw new Error('the mail has no link');
  return link;
}
