import type { Command } from 'commander';
import { describeDatabase } from '../config/database-url.js';
import { InvalidSettings } from '../config/invalid-settings.js';
import { loadSettings } from '../config/load-settings.js';
import type { Settings } from '../config/settings.js';
import { refuseMissingDatabase } from '../database/sqlite/lost-database.js';
import { createBackup } from './backup/create-backup.js';
import { embeddedPlace } from './backup/embedded-place.js';
import { restoreBackup } from './backup/restore-backup.js';
import { formatTime, print, printJson } from './output.js';

interface Options {
  force: boolean;
  json: boolean;
}

/** `pluto backup` and `pluto restore`. */
export function addBackupCommands(program: Command): void {
  program
    .command('backup')
    .description('write the embedded database and the pictures into one archive; the server may run')
    .argument('<file>', 'archive to write, such as pluto.tar.gz')
    .option('--with-secret-key', 'include secret.key: whoever has the archive can then read all of it', false)
    .option('--force', 'replace an existing file', false)
    .option('--json', 'print one JSON document', false)
    .action(backup);
  program
    .command('restore')
    .description('put the data of an archive in place, while the server is stopped')
    .argument('<file>', 'archive written by `pluto backup`')
    .option('--force', 'replace existing data, which is kept in a folder of DATA_DIR', false)
    .option('--json', 'print one JSON document', false)
    .action(restore);
}

async function backup(file: string, options: Options & { withSecretKey: boolean }): Promise<void> {
  const settings = loadSettings();
  const place = embeddedPlace(settings, 'backup');
  refuseMissingDatabase(settings);
  if (options.withSecretKey && settings.secretKey !== undefined)
    throw new InvalidSettings([
      'SECRET_KEY is set, so there is no secret.key to include: store its value separately',
    ]);
  sayDatabase(settings);
  const summary = await createBackup(place, { file, ...options });
  if (options.json) return printJson(summary);
  print(`backup written: ${summary.file} (${summary.bytes} bytes, ${summary.avatars} pictures)`);
  print(
    summary.secret_key
      ? 'It holds secret.key: protect it like the server itself.'
      : 'It does not hold the secret (SECRET_KEY, or secret.key in DATA_DIR): store that separately, nothing can be restored without it.',
  );
}

async function restore(file: string, options: Options): Promise<void> {
  const settings = loadSettings();
  embeddedPlace(settings, 'restore');
  sayDatabase(settings);
  const summary = await restoreBackup(settings, { file, force: options.force });
  if (options.json) return printJson(summary);
  print(`restored: ${summary.file} of ${formatTime(summary.created_at)} (version ${summary.version})`);
  if (summary.replaced !== '')
    print(`The data before is in ${summary.replaced}: delete it when all is well.`);
  print('Start the server now.');
}

function sayDatabase({ database }: Settings): void {
  process.stderr.write(`Database: ${describeDatabase(database)}\n`);
}
