#!/usr/bin/env bash
# Installs the production dependencies in a separate folder, as the image does, measures them, and smoke-tests the server.
set -euo pipefail
cd "$(dirname "$0")/../.."
limit_mb=150
folder=$(mktemp -d)
server=
trap '[ -n "$server" ] && kill "$server" 2>/dev/null; wait; rm -rf "$folder"' EXIT

cp -r package.json package-lock.json scripts dist views "$folder"
cd "$folder"
# No package that a server needs wants a newer Node than README names.
npm ci --engine-strict --omit=dev --no-audit --no-fund >npm.log 2>&1 || { cat npm.log; exit 1; }
node scripts/slim-install.mjs
size_mb=$(du -sm node_modules | cut -f1)
echo "production install: $size_mb MB (at most $limit_mb)"
[ "$size_mb" -lt "$limit_mb" ]

port=$(node -e "const s = require('net').createServer().listen(0, () => { console.log(s.address().port); s.close(); })")
HOST=127.0.0.1 PORT=$port DATA_DIR=$folder/data node dist/pluto.js >server.log 2>&1 &
server=$!
node - "$port" <<'NODE' || { cat server.log; exit 1; }
const ask = async (path) => {
  const response = await fetch(`http://127.0.0.1:${process.argv[2]}/${path}`);
  if (!response.ok) throw new Error(`/${path} answers ${response.status}`);
};
const answers = async (path, tries = 60) => {
  try {
    await ask(path);
  } catch (error) {
    if (tries === 0) throw error;
    await new Promise((resolve) => setTimeout(resolve, 500));
    await answers(path, tries - 1);
  }
};
(async () => {
  await answers('health/ready');
  for (const path of ['docs', 'docs/swagger-ui-bundle.js', 'v1/token/publickey']) await ask(path);
})();
NODE
lazily="['sharp', 'nodemailer', 'mysql2', 'ioredis', 'prom-client', 'pino-pretty', '@node-rs/argon2']"
node -e "Promise.all($lazily.map((name) => import(name)))"
echo 'production install: the server answers, and what it reads later is there'
