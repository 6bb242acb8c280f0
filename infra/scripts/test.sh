#!/usr/bin/env bash
# Compiles what changed, runs the test suites and ends with one line: N passed, N failed, N skipped.
#
#   infra/scripts/test.sh [PATTERN…]      of the test files whose path matches one; all of them without
#
# Options of Jest may follow: -t 'part of a test's name'. JEST_WORKERS says how many files run at once; by default two
# more than there are cores, since most tests wait for processes of their own, and for time to pass.
set -uo pipefail
cd "$(dirname "$0")/../.."
make --silent setup || exit 1
# Compiled from a test that has since been renamed or removed.
find dist/test -name '*.test.js' | while read -r test; do
  source=${test#dist/}
  [ -e "${source%.js}.ts" ] || rm -f "$test" "$test.map"
done
workers=${JEST_WORKERS:-$(($(getconf _NPROCESSORS_ONLN) + 2))}
results=$(mktemp)
trap 'rm -f "$results"' EXIT
NODE_OPTIONS=--experimental-vm-modules NODE_NO_WARNINGS=1 \
  npx jest --maxWorkers="$workers" --json --outputFile="$results" "$@"
code=$?
node -e '
const { numPassedTests: p, numFailedTests: f, numPendingTests: s, numTodoTests: t, numRuntimeErrorTestSuites: e } =
  JSON.parse(require("node:fs").readFileSync(process.argv[1], "utf8"));
console.log(`${p} passed, ${f + e} failed, ${s + t} skipped`);
' "$results" || exit 1
exit $code
