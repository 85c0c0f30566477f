#!/bin/sh
# Feeds the readers with damaged input, each for a while, and writes a table of what was run to stdout.
# What breaks one is left in fuzz/artifacts/TARGET, ends its turn, and makes the script fail.
#
#   scripts/fuzz.sh [SECONDS [TARGET…]]     default: 60 seconds; csv dead_letter pack parquet xlsx
#
# Needs a C++ compiler, and installs cargo-fuzz where it is missing. Everything is built once more, with
# counters in it: some minutes. Without address sanitizer, because the readers are safe Rust and
# DuckDB's library comes compiled; debug assertions and overflow checks are on.
set -eu
seconds=${1:-60}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- csv dead_letter pack parquet xlsx
. "$(dirname -- "$0")/env.sh" >&2
if [ -n "$FEATURES" ]; then
    echo "fuzzing needs DuckDB's prebuilt library, see scripts/duckdb.sh" >&2
    exit 1
fi
command -v cargo-fuzz >/dev/null || cargo install cargo-fuzz --locked >&2
# cargo-fuzz passes -Z flags, which a stable toolchain takes only so.
export RUSTC_BOOTSTRAP=1
export LD_LIBRARY_PATH="$root/.duckdb${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
cargo fuzz build -s none >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Of the log: the last number behind a word.
last() {
    sed -n "s/.*$1 *\([0-9][0-9]*\).*/\1/p" "$log" | tail -n 1
}
status=0
echo "| target | executions | seconds | inputs kept | edges reached | features | peak MiB | findings |"
echo "|---|---|---|---|---|---|---|---|"
for target; do
    mkdir -p "fuzz/corpus/$target"
    found=none
    begin=$(date +%s)
    # A run that began in the corpus of another day goes on where that one ended.
    cargo fuzz run -s none "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- \
        -dict="fuzz/dictionaries/$target.dict" -max_total_time="$seconds" -max_len=16384 \
        -timeout=20 -rss_limit_mb=1024 -malloc_limit_mb=512 -print_final_stats=1 >"$log" 2>&1 ||
        found=$(sed -n 's/.*Test unit written to \(.*\)/\1/p' "$log" | tail -n 1)
    spent=$(($(date +%s) - begin))
    if [ "$found" != none ]; then
        tail -n 40 "$log" >&2
        status=1
    fi
    echo "| $target | $(last number_of_executed_units:) | $spent | $(last 'corp:') |" \
        "$(last 'cov:') | $(last 'ft:') | $(last 'peak_rss_mb:') | ${found:-the run failed} |"
done
exit $status
