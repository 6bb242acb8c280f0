#!/bin/sh
# Sees to it that the programs of test/tools/bench/shell.sh are there. Ends with 3 when they cannot be had, saying why.
set -eu

missing=""
for pair in curl:curl unzip:unzip dwebp:webp sha256sum:coreutils xargs:findutils; do
	command -v "${pair%:*}" >/dev/null 2>&1 || missing="$missing ${pair#*:}"
done
[ -n "$missing" ] || exit 0
if ! command -v apt-get >/dev/null 2>&1 || [ "$(id -u)" != 0 ]; then
	echo "shell-tools: as root: apt-get update && apt-get install -y$missing" >&2
	exit 3
fi
echo "shell-tools: installing$missing" >&2
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # one word each
{ apt-get update && apt-get install -y --no-install-recommends $missing; } >&2 || exit 3
