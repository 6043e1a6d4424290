import { type DynamicModule, Module } from '@nestjs/common';
import { resolveSecretKey, SecretKey } from './secret-key.js';
import { Settings } from './settings.js';

/** Provides `Settings` and `SecretKey` to every module. */
@Module({})
export class ConfigModule {
  /**
   * @param settings as loaded at start; without `secretKey`, the key is read from `dataDir` or generated
   * there
   */
  static forRoot(settings: Settings): DynamicModule {
    return {
      module: ConfigModule,
      global: true,
      providers: [
        { provide: Settings, useValue: settings },
        { provide: SecretKey, useFactory: () => new SecretKey(resolveSecretKey(settings)) },
      ],
      exports: [Settings, SecretKey],
    };
  }
}
