#!/bin/sh
# A mirror by queue workers of this machine, from nothing to its end: Redis (unless REDIS_URL names one), N workers,
# enqueue --wait; the workers are stopped at the end. Ends as `irlake enqueue --wait` does.
#
#   infra/scripts/backfill-fleet.sh SUBSET LAKE WORKERS
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(dirname "$(dirname "$here")")
subset=$1 lake=$2 count=$3
[ -n "${REDIS_URL:-}" ] || REDIS_URL=$("$here/redis.sh" start)
export REDIS_URL

pids=
stop() {
	for pid in $pids; do kill "$pid" 2>/dev/null || true; done
	for pid in $pids; do wait "$pid" || true; done
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
while [ "$count" -gt 0 ]; do
	LOG_LEVEL=${LOG_LEVEL:-warn} node "$root/bin/irlake.js" worker &
	pids="$pids $!"
	count=$((count - 1))
done
ended=0
node "$root/bin/irlake.js" enqueue --wait --subset "$subset" --lake "$lake" || ended=$?
exit "$ended"
