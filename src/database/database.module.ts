import { type DynamicModule, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { Settings } from '../config/settings.js';
import { CompoundStatement } from './mysql/compound-statement.js';
import { dataSourceOptions } from './data-source-options.js';
import { pendingMigrations, runMigrations } from './jobs/migrate.js';
import { PlutoDataSource } from './pluto-data-source.js';
import { Purge } from './jobs/purge.js';
import { Transactions } from './transactions.js';

type Entities = Parameters<typeof dataSourceOptions>[1];
type Migrations = Parameters<typeof dataSourceOptions>[2];

/** Connects to the database and brings its schema up to date. */
@Module({})
export class DatabaseModule {
  static forRoot(entities: Entities, migrations: Migrations): DynamicModule {
    const connection = TypeOrmModule.forRootAsync({
      inject: [Settings],
      useFactory: ({ database, databaseMigrate }: Settings) => ({
        ...dataSourceOptions(database, entities, migrations),
        migrationsRun: databaseMigrate,
        // An unreachable database fails the start immediately; the process supervisor starts Pluto again.
        toRetry: () => false,
      }),
      dataSourceFactory: (options) => connect(options as DataSourceOptions),
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

async function connect({ migrationsRun, ...options }: DataSourceOptions): Promise<PlutoDataSource> {
  const dataSource = new PlutoDataSource(options);
  await dataSource.initialize();
  try {
    if (migrationsRun) await runMigrations(dataSource);
    else if (await pendingMigrations(dataSource)) {
      throw new Error(
        'the database has pending migrations: run `npm run migration:run`, or set DATABASE_MIGRATE=true',
      );
    }
  } catch (error) {
    await dataSource.abandon();
    throw error;
  }
  return dataSource;
}
