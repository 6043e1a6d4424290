// Hashes passwords, or signs, as fast as the machine can, in a process of its own that does nothing else.
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { verify } from '@node-rs/argon2';

/** What it is told by its parent. */
export type CryptoRequest =
  | { work: 'hash'; seconds: number; passwordHash: string; password: string }
  | { work: 'sign'; seconds: number };

const HASHES_AT_ONCE = 4;
const SIGNATURES_AT_ONCE = 16;
/** About what the header and the claims of an access token take. */
const SIGNED_BYTES = 320;

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const signed = randomBytes(SIGNED_BYTES);

process.on('message', (request: CryptoRequest) => void answer(request));
process.on('disconnect', () => process.exit());
process.on('SIGINT', () => undefined);

async function answer(request: CryptoRequest): Promise<void> {
  const perSecond =
    request.work === 'hash'
      ? await rate(HASHES_AT_ONCE, request.seconds, () => verify(request.passwordHash, request.password))
      : await rate(SIGNATURES_AT_ONCE, request.seconds, signOnce);
  process.send!(perSecond);
}

function signOnce(): Promise<unknown> {
  return new Promise((resolve, reject) =>
    sign('sha256', signed, privateKey, (error, signature) => (error ? reject(error) : resolve(signature))),
  );
}

/** How often a second the work is done, by so many who do it again and again. */
async function rate(atOnce: number, seconds: number, work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  const end = began + seconds * 1000;
  let done = 0;
  const lane = async () => {
    for (; performance.now() < end; done++) await work();
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  return done / ((performance.now() - began) / 1000);
}
