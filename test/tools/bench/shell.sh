#!/bin/sh
# The bench's shell pipeline: what a person would type to fetch, hash and look through the shards.
#
#   test/tools/bench/shell.sh ENDPOINT FOLDER PROCESSES SHARD...     SHARD: train_1
#
# curl fetches the zips, unzip unpacks them, one sha256sum hashes all members, dwebp decodes each picture, several at a
# time. Hashes stand in FOLDER/sha256; pixels go nowhere. The last line on stdout is the number of pictures.
set -eu

endpoint=$1 folder=$2 processes=$3
shift 3
export LC_ALL=C

for shard in "$@"; do
	path="images/${shard%_*}/$shard.zip"
	set -- "$@" "$endpoint/datasets/zai-org/ImageRewardDB/resolve/main/$path"
	shift
done
mkdir -p "$folder"
cd "$folder"
curl --silent --show-error --fail --location --parallel --remote-name-all "$@"
for zip in *.zip; do unzip -q -d "${zip%.zip}" "$zip"; done
find . -type f ! -name '*.zip' ! -name sha256 -print0 | xargs -0 -n 1000000 sha256sum >sha256
find . -name '*.webp' -print0 | xargs -0 -n 1 -P "$processes" dwebp -quiet -pam -o /dev/null
find . -name '*.webp' | wc -l
