import { domainToASCII, domainToUnicode } from 'node:url';
import { Logger } from '@nestjs/common';
import { TableColumn, TableIndex, type MigrationInterface, type QueryRunner } from 'typeorm';
import {
  belongsTo,
  createTables,
  dropTables,
  flag,
  id,
  index,
  integer,
  nullable,
  text,
  time,
  type TableDescription,
} from './columns.js';

const tables: TableDescription[] = [
  {
    name: 'link_requests',
    columns: [
      id,
      text('kind', 32),
      integer('application_id'),
      text('typed', 254),
      text('language', 8),
      text('accept_language', 255),
      time('created_at'),
    ],
    indices: [
      index('ix_link_requests_application', 'application_id'),
      index('ix_link_requests_created', 'created_at'),
    ],
    foreignKeys: [belongsTo('applications', 'application_id', 'fk_link_requests_application')],
  },
];
const columns = [text('pending_key', 254, nullable), time('pending_until', nullable), flag('is_contested')];
const indices = [
  index('ix_identities_pending', 'application_id', 'pending_key'),
  index('ix_identities_pending_until', 'pending_until'),
];
const formerIndex = index('ix_identities_pending', 'is_verified', 'created_at');

interface MailRow {
  id: number;
  application_id: number;
  login_type: string;
  subject_key: string;
  mail: string;
  mail_key: string;
  pending_key: string | null;
}

/**
 * Lets any number of accounts have a mail pending, with the lifetime of its links, and gives a domain in
 * Unicode and in its `xn--` form the same key.
 */
export class PendingMails1795824000000 implements MigrationInterface {
  private readonly logger = new Logger('Database');

  async up(runner: QueryRunner): Promise<void> {
    await createTables(runner, tables);
    for (const column of columns)
      if (!(await runner.hasColumn('identities', column.name)))
        await runner.addColumn('identities', new TableColumn(column));
    await dropIndices(runner);
    for (const description of indices) await runner.createIndex('identities', new TableIndex(description));
    await setAside(runner);
    for (const row of await findMails(runner)) await this.renewKeys(runner, row);
  }

  async down(runner: QueryRunner): Promise<void> {
    await deleteSurplus(runner);
    await runner.query(
      'UPDATE identities SET subject_key = pending_key, pending_key = NULL WHERE pending_key IS NOT NULL',
    );
    await dropIndices(runner);
    await runner.createIndex('identities', new TableIndex(formerIndex));
    for (const { name } of columns)
      if (await runner.hasColumn('identities', name)) await runner.dropColumn('identities', name);
    await dropTables(runner, tables);
  }

  private async renewKeys(runner: QueryRunner, row: MailRow): Promise<void> {
    const key = mailKey(row.mail);
    const change = (column: string) =>
      runner.query(`UPDATE identities SET ${column} = ? WHERE id = ?`, [key, row.id]);
    if (row.mail_key !== '' && row.mail_key !== key) await change('mail_key');
    if (row.login_type !== 'mail') return;
    if (row.pending_key !== null) return void (row.pending_key !== key && (await change('pending_key')));
    if (row.subject_key === key) return;
    const same = (await runner.query(
      "SELECT id FROM identities WHERE application_id = ? AND login_type = 'mail' AND subject_key = ?",
      [row.application_id, key],
    )) as { id: number }[];
    if (same.length === 0) return void (await change('subject_key'));
    this.logger.warn({
      msg: 'two accounts have the same mailbox, its domain in Unicode and in ASCII; one signs in by its handle',
      identityIds: [same[0]!.id, row.id],
    });
  }
}

async function dropIndices(runner: QueryRunner): Promise<void> {
  const present = (await runner.getTable('identities'))?.indices.map(({ name }) => name) ?? [];
  for (const { name } of indices) if (present.includes(name)) await runner.dropIndex('identities', name!);
}

/** What is pending expires with its last link. */
async function setAside(runner: QueryRunner): Promise<void> {
  const placeholder = isSqlite(runner) ? "'pending-' || id" : "CONCAT('pending-', id)";
  await runner.query(
    `UPDATE identities SET pending_key = subject_key, subject_key = ${placeholder}, pending_until = COALESCE(
       (SELECT MAX(t.expires_at) FROM one_time_tokens t
        WHERE t.identity_id = identities.id AND t.kind = 'verify-mail'), created_at)
     WHERE login_type = 'mail' AND is_verified = 0 AND pending_key IS NULL`,
  );
}

/** Addresses whose domain is written in Unicode or in its `xn--` form. */
async function findMails(runner: QueryRunner): Promise<MailRow[]> {
  const bytes = isSqlite(runner) ? 'LENGTH(CAST(mail AS BLOB))' : 'LENGTH(mail)';
  const characters = isSqlite(runner) ? 'LENGTH(mail)' : 'CHAR_LENGTH(mail)';
  return (await runner.query(
    `SELECT id, application_id, login_type, subject_key, mail, mail_key, pending_key FROM identities
     WHERE LOWER(mail) LIKE '%xn--%' OR ${bytes} <> ${characters} ORDER BY is_verified DESC, id`,
  )) as MailRow[];
}

/** Where a mail is pending more than once, or confirmed elsewhere, the former schema has room for one. */
async function deleteSurplus(runner: QueryRunner): Promise<void> {
  const surplus = (await runner.query(
    `SELECT p.id, p.user_id FROM identities p WHERE p.pending_key IS NOT NULL AND EXISTS (
       SELECT 1 FROM identities o WHERE o.application_id = p.application_id AND o.login_type = 'mail' AND (
         o.subject_key = p.pending_key OR (o.pending_key = p.pending_key AND o.id > p.id)))`,
  )) as { id: number; user_id: number }[];
  for (const { id: identityId, user_id: userId } of surplus) {
    await runner.query('DELETE FROM one_time_tokens WHERE identity_id = ?', [identityId]);
    await runner.query('DELETE FROM identities WHERE id = ?', [identityId]);
    const others = (await runner.query('SELECT id FROM identities WHERE user_id = ?', [userId])) as unknown[];
    if (others.length > 0) continue;
    // Foreign keys are off in a migration on SQLite.
    for (const table of ['mails', 'user_roles', 'known_devices'])
      await runner.query(`DELETE FROM ${table} WHERE user_id = ?`, [userId]);
    await runner.query('DELETE FROM users WHERE id = ?', [userId]);
  }
}

function isSqlite(runner: QueryRunner): boolean {
  return runner.connection.options.type === 'better-sqlite3';
}

/** As the keys are made from this version on. */
function mailKey(mail: string): string {
  const at = mail.lastIndexOf('@');
  const fold = (part: string) => part.normalize('NFKC').toLowerCase().replaceAll('ς', 'σ');
  const domain = mail.slice(at + 1);
  const ascii = /[\s/\\?#%:@[\]]/u.test(domain) ? '' : domainToASCII(domain.replaceAll('\u1e9e', 'ß'));
  return `${fold(mail.slice(0, Math.max(at, 0)))}@${ascii === '' ? fold(domain) : domainToUnicode(ascii)}`;
}
