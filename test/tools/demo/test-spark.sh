#!/usr/bin/env bash
# Runs the Spark snippet of docs/consumers.md on a lake of two snapshots. Kept out of `make test`: Spark starts slowly, and
# its jars (87 MB) come from Maven. Ends with 3 where Spark cannot be had; with REQUIRE_SERVICES=1 that is a failure as any.
set -euo pipefail
cd "$(dirname "$0")/../../.."
root=$PWD
python=$(infra/scripts/spark-env.sh | tail -1) || {
	echo "spark: skipped"
	exit 3
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
node dist/test/tools/sample/main.js "$work/source" --shards test_1,test_2 --size 64
cd "$work"
for shard in test_1 test_2; do
	LOG_LEVEL=error node "$root/bin/irlake.js" mirror --source "file://$work/source" --lake lake --scratch scratch --shards "$shard" >/dev/null
done
SPARK_LOCAL_IP=127.0.0.1 "$python" "$root/test/consumers/run_snippets.py" "$root/docs/consumers.md" "$work" Spark | tee verdict.json
grep -q '"problems": \[\]' verdict.json
