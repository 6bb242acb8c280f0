#!/bin/sh
# Redis for development and tests: Debian's redis-server, on loopback, writing each change to an append-only file.
#
#   infra/scripts/redis.sh install                 the path of redis-server; installs it where absent and root
#   infra/scripts/redis.sh run DIR PORT [ARGS…]    in the foreground, its data in DIR; ends with this process
#   infra/scripts/redis.sh start [DIR] [PORT]      in the background; prints its address (default .cache/redis, 6379)
#   infra/scripts/redis.sh stop [DIR]              ends what `start` began
#
# Ends with 3 when Redis cannot be had, saying why.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)

cannot() {
	echo "redis: $1" >&2
	exit 3
}

install_redis() {
	command -v redis-server && return
	command -v apt-get >/dev/null 2>&1 || cannot "there is no redis-server; install Redis 6.2 or newer"
	[ "$(id -u)" = 0 ] || cannot "there is no redis-server; run: sudo apt-get install redis-server"
	# Only the program is wanted, not a service of the system's own on the usual port.
	log=$(mktemp)
	policy=/usr/sbin/policy-rc.d
	made=
	[ -e "$policy" ] || { printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy" && made=1; }
	ended=0
	{ apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends redis-server; } \
		>"$log" 2>&1 </dev/null || ended=1
	[ -z "$made" ] || rm -f "$policy"
	[ $ended = 0 ] || cannot "apt-get could not install redis-server; see $log"
	rm -f "$log"
	command -v redis-server || cannot "redis-server was installed and is not on PATH"
}

# Durable, and refusing to forget what it was not told to: what the queue needs.
run() {
	dir=$1 port=$2
	shift 2
	program=$(install_redis | tail -1)
	mkdir -p "$dir"
	exec "$program" --dir "$dir" --port "$port" --bind 127.0.0.1 --appendonly yes --appendfsync everysec \
		--maxmemory-policy noeviction --save '' "$@"
}

case ${1:-} in
install) install_redis ;;
run)
	shift
	run "$@"
	;;
start)
	dir=${2:-"$root/.cache/redis"} port=${3:-6379}
	install_redis >/dev/null
	mkdir -p "$dir"
	if redis-cli -p "$port" ping 2>/dev/null | grep -q PONG; then
		echo "redis://127.0.0.1:$port"
		exit 0
	fi
	run "$dir" "$port" --daemonize yes --pidfile "$dir/redis.pid" --logfile "$dir/redis.log" >/dev/null &
	wait $!
	tries=0
	until redis-cli -p "$port" ping 2>/dev/null | grep -q PONG; do
		tries=$((tries + 1))
		[ $tries -lt 50 ] || cannot "redis-server does not answer on port $port; see $dir/redis.log"
		sleep 0.1
	done
	echo "redis://127.0.0.1:$port"
	;;
stop)
	dir=${2:-"$root/.cache/redis"}
	[ -f "$dir/redis.pid" ] || exit 0
	kill "$(cat "$dir/redis.pid")" 2>/dev/null || true
	;;
*) cannot "usage: redis.sh install | run DIR PORT | start [DIR] [PORT] | stop [DIR]" ;;
esac
