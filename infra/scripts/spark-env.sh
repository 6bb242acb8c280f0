#!/bin/sh
# Makes the Python virtual environment of the Spark test, unless it is there already: .cache/spark in the checkout.
# The last line on stdout is the path of its python. Ends with 3 when the environment cannot be had, saying why.
#
# Delta's jars lag behind PyPI: of 4.4.1 Maven Central had none for Spark 4.2, so both versions are pinned.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
dir="$root/.cache/spark"
packages="pyspark==4.2.0 delta-spark==4.4.0"

cannot() {
	echo "spark-env: $1" >&2
	exit 3
}

base=${PYTHON:-python3}
command -v "$base" >/dev/null 2>&1 || cannot "there is no $base (Debian: apt-get install python3 python3-venv)"
command -v java >/dev/null 2>&1 || cannot "there is no java (Debian: apt-get install openjdk-17-jre-headless)"
if [ "$(cat "$dir/irlake-packages" 2>/dev/null)" != "$packages" ]; then
	mkdir -p "$dir"
	"$base" -m venv --clear "$dir" >"$dir.log" 2>&1 || cannot "$base cannot make a virtual environment; see $dir.log"
	# shellcheck disable=SC2086 # two words
	"$dir/bin/python" -m pip install --quiet $packages >>"$dir.log" 2>&1 || cannot "pip could not install $packages; see $dir.log"
	echo "$packages" >"$dir/irlake-packages"
fi
echo "$dir/bin/python"
