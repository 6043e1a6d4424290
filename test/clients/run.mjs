// Generates clients from docs/openapi.json, compiles them, and lets each register, confirm, sign in, read its
// profile, refresh and delete its account on a real server.
//   node test/clients/run.mjs [typescript go java kotlin python]
// Without names: TypeScript, and every other whose tools are installed; it says which ran.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { go } from './go.mjs';
import { java } from './java.mjs';
import { kotlin } from './kotlin.mjs';
import { python } from './python.mjs';
import { startServer } from './server.mjs';
import { typescript } from './typescript.mjs';

const clients = { typescript, go, java, kotlin, python };
const asked = process.argv.slice(2);
const names = asked.length > 0 ? asked : Object.keys(clients);
const results = [];

for (const name of names) {
  const client = clients[name];
  if (!client) throw new Error(`${name} is none of ${Object.keys(clients).join(', ')}`);
  const missing = client.missing();
  if (missing) {
    if (asked.length > 0) throw new Error(`${name} cannot run: ${missing}`);
    results.push(`${name}: not run, ${missing}`);
    continue;
  }
  await tryClient(name, client);
  results.push(`${name}: passed`);
}
console.log(`generated clients\n  ${results.join('\n  ')}`);

async function tryClient(name, client) {
  const folder = mkdtempSync(join(tmpdir(), `pluto-client-${name}-`));
  const server = await startServer();
  try {
    const command = client.build(folder);
    const mail = `${name}@example.com`;
    run([...command, 'register', server.url, mail], folder);
    await server.confirm(mail);
    run([...command, 'use', server.url, mail], folder);
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function run([command, ...parameters], cwd) {
  const { status, stdout, stderr } = spawnSync(command, parameters, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${parameters.join(' ')} failed\n${stdout}${stderr}`);
}
