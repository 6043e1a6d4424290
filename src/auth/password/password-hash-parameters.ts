import { Injectable } from '@nestjs/common';

/**
 * What one password hash by argon2id costs: OWASP's minimum. A provider of its own, so that where nothing depends on
 * their strength, as in most tests, hashes may be cheap.
 */
@Injectable()
export class PasswordHashParameters {
  /** In KiB. */
  memoryCost = 19_456;
  timeCost = 2;
  parallelism = 1;
}
