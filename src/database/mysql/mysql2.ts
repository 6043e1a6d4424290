import type * as Mysql2 from 'mysql2';
import { loadWhenNeeded } from '../../common/load-when-needed.js';

/** The driver of MySQL and MariaDB, loaded only if one is used. */
export const mysql2 = () => loadWhenNeeded<typeof Mysql2>('mysql2');
