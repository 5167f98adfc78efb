#!/bin/sh
# run.sh TARGET CORPUS: replays the corpus, then fuzzes for ${FUZZ_SECONDS:-10} s, or for FUZZ_RUNS inputs. New inputs go to a throw-away folder; one that crashes is left beside
# TARGET.
set -eu
target=$1 corpus=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/new"
until=-max_total_time=${FUZZ_SECONDS:-10}
[ -z "${FUZZ_RUNS:-}" ] || until=-runs=$FUZZ_RUNS
if ! "$target" -runs=0 "$corpus" >"$scratch/log" 2>&1 ||
    ! "$target" "$until" -timeout=10 -rss_limit_mb=2048 -artifact_prefix="$target-" \
        "$scratch/new" "$corpus" >"$scratch/log" 2>&1; then
    tail -n 60 "$scratch/log"
    exit 1
fi
tail -n 1 "$scratch/log"
