import { parseMysqlUrl } from '../../config/database-url.js';
import { InvalidSettings } from '../../config/invalid-settings.js';
import type { Settings } from '../../config/settings.js';

/** Where the data of a server with an embedded database is. */
export interface EmbeddedPlace {
  databasePath: string;
  dataDir: string;
}

/** @throws InvalidSettings for MySQL and MariaDB, with the commands that do the same there */
export function embeddedPlace({ database, dataDir }: Settings, work: 'backup' | 'restore'): EmbeddedPlace {
  if (database.kind === 'sqlite') return { databasePath: database.path, dataDir };
  const { dialect, host, port, username, database: name } = parseMysqlUrl(database.url);
  const [dump, client] = dialect === 'mariadb' ? ['mariadb-dump', 'mariadb'] : ['mysqldump', 'mysql'];
  const server = `--host=${host} --port=${port} --user=${username} --password`;
  const commands = {
    backup: `\`${dump} --single-transaction --quick --no-tablespaces ${server} ${name} | gzip > pluto.sql.gz\`, then copy`,
    restore: `\`gunzip -c pluto.sql.gz | ${client} ${server} ${name}\` into an empty database, then restore`,
  };
  throw new InvalidSettings([
    `DATABASE_URL names a database server, and ${work} is for the embedded database: run ${commands[work]} ` +
      `${dataDir}/avatars; see docs/operations.md`,
  ]);
}
