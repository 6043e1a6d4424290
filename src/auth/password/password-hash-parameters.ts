import { Injectable } from '@nestjs/common';

/**
 * The cost of an argon2id hash: OWASP's minimum. A separate provider, so that tests can replace it with a
 * cheap one.
 */
@Injectable()
export class PasswordHashParameters {
  /** In KiB. */
  memoryCost = 19_456;
  timeCost = 2;
  parallelism = 1;
}
