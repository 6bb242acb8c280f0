#!/bin/sh
# What a fleet needs, for development: Redis, and an S3 server where its script is there.
#
#   infra/scripts/services.sh start|stop
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

case ${1:-start} in
start)
	echo "export REDIS_URL=$("$here/redis.sh" start)"
	;;
stop) "$here/redis.sh" stop ;;
*)
	echo "usage: services.sh start|stop" >&2
	exit 2
	;;
esac
