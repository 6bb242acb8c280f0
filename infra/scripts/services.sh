#!/bin/sh
# What a fleet needs, for development: Redis, and an S3 server with the bucket `lake`. Both on loopback, in the background.
#
#   infra/scripts/services.sh start|stop      start prints what to put into the environment
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
s3="$here/../../.cache/s3/services"
port=9000

s3_answers() { curl --silent --fail --max-time 2 "http://127.0.0.1:$port/health" >/dev/null; }

start_s3() {
	s3_answers && return
	"$here/s3-server.sh" install versitygw >/dev/null || return 3
	# A folder beside the others is a bucket.
	mkdir -p "$s3/data/lake"
	"$here/s3-server.sh" run versitygw "$(cd "$s3" && pwd)" "$port" >"$s3/log" 2>&1 </dev/null &
	echo $! >"$s3/pid"
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		s3_answers && return
		sleep 0.3
	done
	echo "services: the S3 server does not answer on port $port; see $s3/log" >&2
	return 1
}

stop_s3() {
	[ -f "$s3/pid" ] || return 0
	kill "$(cat "$s3/pid")" 2>/dev/null || true
	rm -f "$s3/pid"
}

case ${1:-start} in
start)
	redis=$("$here/redis.sh" start)
	start_s3
	echo "export REDIS_URL=$redis"
	echo "export AWS_ENDPOINT_URL_S3=http://127.0.0.1:$port AWS_ACCESS_KEY_ID=irlake-test AWS_SECRET_ACCESS_KEY=irlake-test-secret"
	echo "# a lake for all workers: --lake s3://lake/imagereward"
	;;
stop)
	"$here/redis.sh" stop
	stop_s3
	;;
*)
	echo "usage: services.sh start|stop" >&2
	exit 2
	;;
esac
