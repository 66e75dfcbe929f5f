#!/bin/sh
# run.sh [SECONDS] [TARGET...]: runs each fuzz target for so long (600), one after the other, and prints a table.
# The sanitizers need a nightly compiler; the engine has no unsafe code, so none is used and the stable one does.
set -eu
cd "$(dirname "$0")"
export RUSTC_BOOTSTRAP=1
SECONDS_EACH=${1:-600}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- $(cargo fuzz list --fuzz-dir .)
[ -d corpus ] || ./seed.sh
mkdir -p logs

row() { printf '%-18s %8s %12s %9s  %s\n' "$@"; }

row target seconds executions coverage result
status=0
for target; do
    cargo fuzz build --fuzz-dir . --sanitizer none "$target" >"logs/$target.build" 2>&1 || {
        row "$target" - - - "does not build: fuzz/logs/$target.build"
        status=1
        continue
    }
    result=clean
    cargo fuzz run --fuzz-dir . --sanitizer none "$target" -- -max_total_time="$SECONDS_EACH" -max_len=4096 \
        -rss_limit_mb=2048 -timeout=5 -dict="dict/$target.dict" -print_final_stats=1 >"logs/$target.log" 2>&1 || {
        result="FAILED: fuzz/logs/$target.log"
        status=1
    }
    stat() { sed -n "s/$1/\1/p" "logs/$target.log" | tail -n 1; }
    row "$target" "$(stat '^Done .* runs in \([0-9]*\) second.*')" "$(stat '^stat::number_of_executed_units: *\([0-9]*\)')" \
        "$(stat '.* cov: \([0-9]*\) .*')" "$result"
done
exit $status
