#!/bin/sh
# What a fleet needs, for development: Redis; and how to have an S3 server beside it.
#
#   infra/scripts/services.sh start|stop
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

case ${1:-start} in
start)
	echo "export REDIS_URL=$("$here/redis.sh" start)"
	echo "# S3, in a terminal of its own: $here/s3-server.sh run versitygw .cache/s3/data 9000"
	;;
stop) "$here/redis.sh" stop ;;
*)
	echo "usage: services.sh start|stop" >&2
	exit 2
	;;
esac
