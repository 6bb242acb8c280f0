#!/usr/bin/env bash
# Measures speed beside a C loop, a shell pipeline and a Python script, then uploads, and writes docs/benchmarks.md.
# The page is written even where a measurement failed; the exit code tells of the failure.
#
#   infra/scripts/bench.sh [RUNS]      rounds of each contender (default 5)
set -uo pipefail
cd "$(dirname "$0")/../.."
code=0
node dist/test/tools/bench/bench.js --only all --runs "${1:-5}" || code=$?
node dist/test/tools/bench/upload.js || code=1
node dist/test/tools/bench/write-page.js || exit
exit "$code"
