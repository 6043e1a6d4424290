import type { INestApplicationContext } from '@nestjs/common';

/** Opens the application's services for the time of some work. */
export type WithServices = (work: (services: INestApplicationContext) => Promise<void>) => Promise<void>;
