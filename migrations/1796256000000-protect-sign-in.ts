import { type MigrationInterface, type QueryRunner, TableColumn } from 'typeorm';
import {
  belongsTo,
  createTables,
  dropTables,
  emptyByDefault,
  flag,
  id,
  index,
  integer,
  nullable,
  text,
  time,
  unique,
  zeroByDefault,
  type TableDescription,
} from './columns.js';

const tables: TableDescription[] = [
  {
    name: 'sent_notices',
    columns: [id, integer('user_id'), text('kind', 32), time('sent_at')],
    indices: [unique('uq_sent_notices_kind', 'user_id', 'kind'), index('ix_sent_notices_sent', 'sent_at')],
    foreignKeys: [belongsTo('users', 'user_id', 'fk_sent_notices_user')],
  },
  {
    name: 'mail_changes',
    columns: [
      id,
      integer('user_id'),
      text('former_mail', 254),
      text('new_mail', 254),
      text('state', 16),
      text('confirm_hash', 64),
      text('cancel_hash', 64),
      text('undo_hash', 64, nullable),
      time('created_at'),
      time('confirmable_until'),
      time('undoable_until'),
    ],
    indices: [
      unique('uq_mail_changes_confirm', 'confirm_hash'),
      unique('uq_mail_changes_cancel', 'cancel_hash'),
      unique('uq_mail_changes_undo', 'undo_hash'),
      index('ix_mail_changes_user', 'user_id'),
      index('ix_mail_changes_undoable', 'undoable_until'),
    ],
    foreignKeys: [belongsTo('users', 'user_id', 'fk_mail_changes_user')],
  },
];

const sessionColumns = [text('signed_in_by', 16, emptyByDefault), time('authenticated_at', zeroByDefault)];
const recentSignIn = flag('require_recent_sign_in');

/** Notices of changes to the ways to sign in, changes of the mail address, and recent sign-in. */
export class ProtectSignIn1796256000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await createTables(runner, tables);
    // TypeORM would build the table again on SQLite, which forgets the highest id: it could be used again.
    if (!(await runner.hasColumn('users', 'language')))
      await runner.query("ALTER TABLE users ADD COLUMN language varchar(8) NOT NULL DEFAULT ''");
    for (const column of sessionColumns)
      if (!(await runner.hasColumn('sessions', column.name)))
        await runner.addColumn('sessions', new TableColumn(column));
    if (!(await runner.hasColumn('application_settings', recentSignIn.name)))
      await runner.addColumn('application_settings', new TableColumn(recentSignIn));
  }

  async down(runner: QueryRunner): Promise<void> {
    if (await runner.hasColumn('application_settings', recentSignIn.name))
      await runner.dropColumn('application_settings', recentSignIn.name);
    for (const { name } of sessionColumns)
      if (await runner.hasColumn('sessions', name)) await runner.dropColumn('sessions', name);
    if (await runner.hasColumn('users', 'language'))
      await runner.query('ALTER TABLE users DROP COLUMN language');
    await dropTables(runner, tables);
  }
}
