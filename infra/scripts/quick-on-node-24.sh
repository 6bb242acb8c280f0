#!/usr/bin/env bash
# The quick suites on Node 24 as well, which npm's package node@24 brings.
set -euo pipefail
cd "$(dirname "$0")/../.."
dir=.cache/node-24
if [ ! -x "$dir/node_modules/node/bin/node" ]; then
  mkdir -p "$dir"
  npm install --prefix "$dir" --no-save --no-audit --no-fund node@24 >/dev/null
fi
node24=$dir/node_modules/node/bin/node
"$node24" --version
"$node24" --experimental-vm-modules --no-warnings node_modules/jest/bin/jest.js --maxWorkers=100% dist/test/unit dist/test/conformance
