import { type DynamicModule, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { InvalidSettings } from '../config/invalid-settings.js';
import { Settings } from '../config/settings.js';
import { CompoundStatement } from './mysql/compound-statement.js';
import { dataSourceOptions } from './data-source-options.js';
import { pendingMigrations, runMigrations } from './jobs/migrate.js';
import { refuseUnfitTables } from './jobs/unfit-tables.js';
import { PlutoDataSource } from './pluto-data-source.js';
import { Purge } from './jobs/purge.js';
import { Transactions } from './transactions.js';

type Entities = Parameters<typeof dataSourceOptions>[1];
type Migrations = Parameters<typeof dataSourceOptions>[2];

/** Connects to the database and brings its schema up to date. */
@Module({})
export class DatabaseModule {
  /** @param mayCreate whether tables may be created in an empty database */
  static forRoot(
    entities: Entities,
    migrations: Migrations,
    { mayCreate }: { mayCreate: boolean },
  ): DynamicModule {
    const connection = TypeOrmModule.forRootAsync({
      inject: [Settings],
      useFactory: ({ database, databaseMigrate }: Settings) => ({
        ...dataSourceOptions(database, entities, migrations),
        migrationsRun: databaseMigrate,
        // An unreachable database fails the start immediately; the process supervisor starts Pluto again.
        toRetry: () => false,
      }),
      dataSourceFactory: (options) => connect(options as DataSourceOptions, mayCreate),
    });
    return {
      module: DatabaseModule,
      global: true,
      imports: [connection],
      providers: [
        { provide: PlutoDataSource, useExisting: DataSource },
        CompoundStatement,
        Purge,
        Transactions,
      ],
      exports: [CompoundStatement, PlutoDataSource, Purge, Transactions],
    };
  }
}

async function connect(
  { migrationsRun, ...options }: DataSourceOptions,
  mayCreate: boolean,
): Promise<PlutoDataSource> {
  const dataSource = new PlutoDataSource(options);
  await dataSource.initialize();
  try {
    await refuseUnfitTables(dataSource, mayCreate);
    if (migrationsRun) await runMigrations(dataSource);
    else if (await pendingMigrations(dataSource)) {
      throw new InvalidSettings([
        'DATABASE_MIGRATE is false, and the database has pending migrations: run `npm run migration:run`, or set DATABASE_MIGRATE=true',
      ]);
    }
  } catch (error) {
    await dataSource.abandon();
    throw error;
  }
  return dataSource;
}
