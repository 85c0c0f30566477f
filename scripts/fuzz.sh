#!/bin/sh
# Feeds a reader with damaged input for a while; what breaks it is left in fuzz/artifacts/TARGET.
#
#   scripts/fuzz.sh TARGET SECONDS [libFuzzer's flags]     TARGET: csv xlsx parquet dead_letter
#
# Needs a C++ compiler, and installs cargo-fuzz where it is missing. Everything is built once more, with
# counters in it: some minutes. Without address sanitizer, because the readers are safe Rust and
# DuckDB's library comes compiled; debug assertions and overflow checks are on.
set -eu
target=${1:?give a target: csv, xlsx, parquet or dead_letter}
seconds=${2:?give a number of seconds}
shift 2
. "$(dirname -- "$0")/env.sh"
if [ -n "$FEATURES" ]; then
    echo "fuzzing needs DuckDB's prebuilt library, see scripts/duckdb.sh" >&2
    exit 1
fi
command -v cargo-fuzz >/dev/null || cargo install cargo-fuzz --locked
# cargo-fuzz passes -Z flags, which a stable toolchain takes only so.
export RUSTC_BOOTSTRAP=1
export LD_LIBRARY_PATH="$root/.duckdb${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$root/target}/fuzz"
mkdir -p "fuzz/corpus/$target"
exec cargo fuzz run -s none "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- \
    -max_total_time="$seconds" -max_len=65536 -timeout=30 -rss_limit_mb=4096 "$@"
