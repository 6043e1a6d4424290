import type { INestApplicationContext } from '@nestjs/common';

/** Opens the application's services while the work runs. */
export type WithServices = (work: (services: INestApplicationContext) => Promise<void>) => Promise<void>;
