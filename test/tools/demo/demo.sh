#!/usr/bin/env bash
# Samples, the test Hub, a mirror, and two queries on the result. Leaves .cache/demo/lake to look at.
set -euo pipefail
cd "$(dirname "$0")/../../.."
work=.cache/demo
rm -rf "$work"
mkdir -p "$work"

echo "1. Sample shards in the exact layout of the Hub"
node dist/test/tools/sample/main.js "$work/source" --shards train_1-4,validation_1,test_1 --images 40

echo "2. A Hub on loopback that serves them"
coproc HUB { exec node dist/test/tools/hub/main.js "$work/source" --stdin; }
hub_pid=$HUB_PID
trap 'kill "$hub_pid" 2>/dev/null || true' EXIT
read -r ready <&"${HUB[0]}"
endpoint=$(node -e 'console.log(JSON.parse(process.argv[1]).endpoint)' "$ready")

echo "3. irlake mirror, from $endpoint"
HF_ENDPOINT=$endpoint HF_HUB_DISABLE_IMPLICIT_TOKEN=1 node bin/irlake.js mirror \
  --shards train_1-4,validation_1,test_1 --lake "$work/lake" --scratch "$work/scratch"

echo
echo "4. Two queries on the lake, by DuckDB"
node test/tools/demo/demo-queries.js "$work/lake"
echo
echo "The lake is in $work/lake; see: node bin/irlake.js status --lake $work/lake"
