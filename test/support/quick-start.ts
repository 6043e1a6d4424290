import { createPublicKey } from 'node:crypto';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { calculateJwkThumbprint, exportJWK } from 'jose';
import { seal } from '../../src/common/crypto.js';
import { SecretKey } from '../../src/config/secret-key.js';
import { KeyRotationService, type KeyDraft } from '../../src/token/key-rotation.service.js';
import { SIGNING_KEYS_PURPOSE } from '../../src/token/signing-keys.service.js';
import { rsaKeys } from './rsa-keys.js';

/** Cheap hashes, for tests that are not about hashing. */
export const LIGHT_HASHES = { memoryCost: 256, timeCost: 1, parallelism: 1 };

/** Has the first start of an application take a signing key that is there already. */
export async function useFixedSigningKey(app: NestFastifyApplication): Promise<void> {
  const draft = await fixedDraft(app.get(SecretKey));
  jest.spyOn(app.get(KeyRotationService), 'draft').mockResolvedValueOnce(draft);
}

async function fixedDraft(secretKey: SecretKey): Promise<KeyDraft> {
  const [privateKey] = rsaKeys;
  const publicKey = createPublicKey(privateKey!);
  const kid = await calculateJwkThumbprint(await exportJWK(publicKey));
  const pem = privateKey!.export({ type: 'pkcs8', format: 'pem' }) as string;
  return {
    kid,
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }) as string,
    sealedPrivateKey: seal(secretKey.derive(SIGNING_KEYS_PURPOSE), kid, pem),
  };
}
