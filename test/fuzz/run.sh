#!/bin/sh
# run.sh TARGET CORPUS: replays the corpus, then fuzzes for ${FUZZ_SECONDS:-10} s, or for FUZZ_RUNS inputs; new inputs go to a throw-away folder, a crash is left in build/.
set -eu
target=$1 corpus=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$target" -runs=0 "$corpus" 2>&1 | tail -n 1
exec_ok=0
until=-max_total_time=${FUZZ_SECONDS:-10}
[ -z "${FUZZ_RUNS:-}" ] || until=-runs=$FUZZ_RUNS
"$target" "$until" -timeout=10 -rss_limit_mb=2048 -artifact_prefix="$(dirname "$target")/crash-" "$scratch" "$corpus" >"$scratch.log" 2>&1 || exec_ok=1
tail -n 3 "$scratch.log"
[ $exec_ok = 0 ] || { tail -n 60 "$scratch.log"; rm -f "$scratch.log"; exit 1; }
rm -f "$scratch.log"
