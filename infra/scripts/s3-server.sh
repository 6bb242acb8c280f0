#!/bin/sh
# An S3 server for the tests, for a local lake, or for trying things out.
#
#   infra/scripts/s3-server.sh install [KIND]            makes it ready; the last line on stdout says what runs it
#   infra/scripts/s3-server.sh run KIND DIR PORT         runs it on 127.0.0.1:PORT with its data below DIR, until it is ended
#
# KIND is versitygw (the default) or minio. It comes from .cache/s3/<kind>-<version>/, else is built there by `go install`,
# else runs in Docker where an engine answers. Ends with 3 when it cannot be had, saying why.
# `run` takes the keys from S3_ACCESS_KEY and S3_SECRET_KEY (default: irlake-test, irlake-test-secret); it is ready once
# GET /health (versitygw) or GET /minio/health/ready answers 200.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
command=${1:-install}
kind=${2:-versitygw}
access=${S3_ACCESS_KEY:-irlake-test}
secret=${S3_SECRET_KEY:-irlake-test-secret}

cannot() {
	echo "s3-server: $1" >&2
	exit 3
}

case $kind in
versitygw)
	version=1.8.0
	module=github.com/versity/versitygw/cmd/versitygw@v1.8.0
	image=versity/versitygw:v1.8.0
	;;
minio)
	version=20260212
	module=github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c
	image=minio/minio:latest
	;;
*) cannot "there is no server $kind: give versitygw or minio" ;;
esac
dir="$root/.cache/s3/$kind-$version"
binary="$dir/$kind"

docker_answers() { command -v docker >/dev/null 2>&1 && docker info >/dev/null 2>&1; }

# Prints how it is run: a binary's path, or `docker`.
install() {
	if [ ! -x "$binary" ]; then
		if command -v go >/dev/null 2>&1; then
			mkdir -p "$dir"
			# Tests of several processes may ask at once: one builds it, the others wait.
			exec 9>"$dir.lock"
			if command -v flock >/dev/null 2>&1; then flock 9; fi
			if [ ! -x "$binary" ]; then
				CGO_ENABLED=0 GOBIN="$dir/part" go install -ldflags='-s -w' "$module" >"$dir.log" 2>&1 ||
					cannot "go could not build $kind $version; see $dir.log"
				mv "$dir/part/$kind" "$binary"
				rmdir "$dir/part"
			fi
			exec 9>&-
		elif docker_answers; then
			docker image inspect "$image" >/dev/null 2>&1 || docker pull --quiet "$image" >&2 ||
				cannot "docker could not fetch $image"
			echo docker
			return
		else
			cannot "$kind needs Go (Debian: apt-get install golang) or a Docker engine"
		fi
	fi
	echo "$binary"
}

run() {
	data=$1
	port=$2
	how=$(install)
	how=$(echo "$how" | tail -n 1)
	mkdir -p "$data/data" "$data/iam"
	export ROOT_ACCESS_KEY="$access" ROOT_SECRET_KEY="$secret"
	export MINIO_ROOT_USER="$access" MINIO_ROOT_PASSWORD="$secret" MINIO_BROWSER=off MINIO_UPDATE=off
	if [ "$how" = docker ]; then
		set -- docker run --rm --init --network host -v "$data:$data" \
			-e ROOT_ACCESS_KEY -e ROOT_SECRET_KEY -e MINIO_ROOT_USER -e MINIO_ROOT_PASSWORD "$image"
	else
		set -- "$how"
	fi
	case $kind in
	# Without --iam-dir an unknown key is answered with 404 where every other server says 403.
	versitygw) exec "$@" --port "127.0.0.1:$port" --quiet --health /health --iam-dir "$data/iam" posix "$data/data" ;;
	# CI=true lets it start on a disk that is the system's own.
	minio) CI=true exec "$@" server --quiet --address "127.0.0.1:$port" "$data/data" ;;
	esac
}

case $command in
install) install ;;
run)
	[ $# -eq 4 ] || cannot "give: run KIND DIR PORT"
	run "$3" "$4"
	;;
*) cannot "there is no command $command: give install or run" ;;
esac
