import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageDirectory } from '../../src/common/package-directory.js';

/** Pre-generated key pairs of 2048 bits, since generating them is slow. Only tests use them. */
export const rsaKeys: KeyObject[] = readFileSync(join(packageDirectory, 'test/support/rsa-keys.pem'), 'utf8')
  .split(/(?<=-----END PRIVATE KEY-----\n)/)
  .map((pem) => createPrivateKey(pem));
