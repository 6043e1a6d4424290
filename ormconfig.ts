import { migrations } from './migrations/index.js';
import { prepareDataDirectory } from './src/config/data-directory.js';
import { loadSettings } from './src/config/load-settings.js';
import { dataSourceOptions } from './src/database/data-source-options.js';
import { refuseLostDatabase } from './src/database/sqlite/lost-database.js';
import { PlutoDataSource } from './src/database/pluto-data-source.js';
import { entities } from './src/entities.js';

const settings = loadSettings();
prepareDataDirectory(settings.dataDir);
refuseLostDatabase(settings);

/** The data source of TypeORM's command line: `npm run migration:show`, `migration:run`, `migration:revert`. */
export default new PlutoDataSource(dataSourceOptions(settings.database, entities, migrations));
