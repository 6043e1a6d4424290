#!/usr/bin/env bash
# Has the built server answer on Node 24, which the image runs, and the unit tests pass there; npm's package `node`
# goes into a temporary folder.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm install --prefix "$folder" --no-save --no-audit --no-fund --loglevel=error node@24 >/dev/null
node test/support/smoke.mjs "$folder/node_modules/.bin/node"
"$folder/node_modules/.bin/node" node_modules/jest/bin/jest.js -w 1 --selectProjects pure --testPathPatterns test/unit
