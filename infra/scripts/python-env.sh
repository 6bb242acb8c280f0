#!/bin/sh
# Makes a Python virtual environment, by default that of the tests' independent readers, unless it is there already.
#
#   infra/scripts/python-env.sh [DIR [REQUIREMENTS]]
#
# default: .cache/python in the checkout, test/consumers/requirements.txt
# The last line on stdout is the path of its python. Made anew when the requirements or the python that made it
# change. Ends with 3 when the environment cannot be had, saying why.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
dir=${1:-"$root/.cache/python"}
requirements=${2:-"$root/test/consumers/requirements.txt"}

cannot() {
	echo "python-env: $1" >&2
	exit 3
}

base=${PYTHON:-python3}
command -v "$base" >/dev/null 2>&1 || cannot "there is no $base; install it (Debian: apt-get install python3 python3-venv)"
command -v flock >/dev/null 2>&1 || cannot "there is no flock; install it (Debian: apt-get install util-linux)"
mkdir -p "$dir" || cannot "the folder $dir cannot be made"
dir=$(CDPATH='' cd -- "$dir" && pwd)

version=$("$base" -c 'import sys; print(sys.version, sys.base_prefix)') || cannot "$base does not run"
key=$( { cat "$requirements"; echo "$version"; } | sha256sum | cut -d' ' -f1)
marker="$dir/irlake-requirements"
ready() { [ -x "$dir/bin/python" ] && [ "$(cat "$marker" 2>/dev/null)" = "$key" ]; }

make() {
	if [ -n "$(ls -A "$dir")" ] && [ ! -f "$dir/pyvenv.cfg" ]; then
		cannot "$dir holds other files and is no virtual environment"
	fi
	log="$dir.log"
	"$base" -m venv --clear "$dir" >"$log" 2>&1 ||
		cannot "$base cannot make a virtual environment (Debian: apt-get install python3-venv); see $log"
	"$dir/bin/python" -m pip install --quiet --only-binary :all: -r "$requirements" >>"$log" 2>&1 ||
		cannot "pip could not install the packages of $requirements; see $log"
	echo "$key" >"$marker.part" && mv "$marker.part" "$marker"
}

if ! ready; then
	# Tests of several processes may ask at once: one makes it, the others wait.
	exec 9>"$dir.lock"
	flock 9
	ready || make
	exec 9>&-
fi
echo "$dir/bin/python"
