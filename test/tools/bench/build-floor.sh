#!/bin/sh
# Builds the bench's C loop against Debian's libwebp, OpenSSL and zlib.
#
#   test/tools/bench/build-floor.sh [FILE]      default: .cache/bench/floor in the checkout
#
# The last line on stdout is the program's path. Ends with 3 when it cannot be built, saying why.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
source="$root/test/tools/bench/floor.c"
out=${1:-"$root/.cache/bench/floor"}

cannot() {
	echo "build-floor: $1" >&2
	exit 3
}

# A file that includes the headers and links the libraries says more than any package manager.
can_build() {
	command -v gcc >/dev/null 2>&1 &&
		printf '#include <webp/decode.h>\n#include <openssl/evp.h>\n#include <zlib.h>\nint main(void) { return 0; }\n' |
		gcc -x c - -o /dev/null -lwebp -lcrypto -lz >/dev/null 2>&1
}

install_packages() {
	packages="gcc libc6-dev libwebp-dev libssl-dev zlib1g-dev"
	command -v apt-get >/dev/null 2>&1 || cannot "install gcc and the headers of libwebp, OpenSSL and zlib"
	[ "$(id -u)" = 0 ] || cannot "as root: apt-get update && apt-get install -y $packages"
	echo "build-floor: installing $packages" >&2
	export DEBIAN_FRONTEND=noninteractive
	# shellcheck disable=SC2086 # one word each
	{ apt-get update && apt-get install -y --no-install-recommends $packages; } >&2 ||
		cannot "apt-get could not install $packages"
}

mkdir -p "$(dirname "$out")"
if [ ! -x "$out" ] || [ "$out" -ot "$source" ]; then
	can_build || install_packages
	gcc -std=c11 -O2 -Wall -Wextra -pthread "$source" -o "$out.part" -lwebp -lcrypto -lz || cannot "gcc failed"
	mv "$out.part" "$out"
fi
echo "$out"
