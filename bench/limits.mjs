// The best this machine can do, in a separate process: hashes, signatures, bare Fastify.
import { fork } from 'node:child_process';
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { hash, verify } from '@node-rs/argon2';
import fastify from 'fastify';
import { undoAtEnd } from './cleanup.mjs';
import { runLoad } from './load.mjs';

/** OWASP's minimum for argon2id, which Pluto uses. */
const ARGON2 = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };
const HASHES_AT_ONCE = 4;
const SIGNATURES_AT_ONCE = 16;
/** About the size of an access token's header and claims. */
const SIGNED_BYTES = 320;

/** @param work 'hash' or 'sign' @returns operations per second */
export function measureWork(work, seconds) {
  return ask({ work, seconds });
}

/** The same load on a bare Fastify route that answers as Pluto did. @returns operations per second */
export async function measureRoute(pluto, next, load) {
  const { path, headers } = next();
  const answer = await (await fetch(pluto + path, { headers })).text();
  const url = await ask({ work: 'serve', path: new URL(path, pluto).pathname, answer });
  return (await runLoad(url, next, load)).perSecond;
}

let helper;

async function ask(request) {
  if (!helper) {
    helper = fork(import.meta.filename);
    undoAtEnd(() => helper.kill());
  }
  helper.send(request);
  const [answer] = await once(helper, 'message');
  return answer;
}

const works = {
  hash: async () => {
    const phc = await hash('a password', ARGON2);
    return [HASHES_AT_ONCE, () => verify(phc, 'a password')];
  },
  sign: async () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const signed = randomBytes(SIGNED_BYTES);
    return [SIGNATURES_AT_ONCE, () => promisify(sign)('sha256', signed, privateKey)];
  },
};

async function rate(work, seconds) {
  const [lanes, once_] = await works[work]();
  const began = performance.now();
  let done = 0;
  const lane = async () => {
    for (; performance.now() < began + seconds * 1000; done++) await once_();
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return done / ((performance.now() - began) / 1000);
}

const routes = new Map();

/** One server per path, started once. */
async function serve(path, answer) {
  if (!routes.has(path)) {
    const server = fastify();
    server.get(path, (_request, reply) => reply.type('application/json; charset=utf-8').send(answer));
    routes.set(path, await server.listen({ host: '127.0.0.1', port: 0 }));
  }
  return routes.get(path);
}

async function answer({ work, seconds, path, answer }) {
  process.send(work === 'serve' ? await serve(path, answer) : await rate(work, seconds));
}

if (process.argv[1] === import.meta.filename) {
  process.on('message', (request) => void answer(request));
  process.on('SIGINT', () => undefined);
  process.on('disconnect', () => process.exit());
}
