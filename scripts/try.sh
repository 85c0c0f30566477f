#!/bin/sh
# Builds etl and runs it on a small made-up roll: the README's first command.
set -eu
. "$(dirname -- "$0")/env.sh"
# shellcheck disable=SC2086
cargo build --release --bin etl $FEATURES
etl=${CARGO_TARGET_DIR:-target}/release/etl
rm -rf demo && mkdir demo
# Some of its rows are wrong on purpose: exit 3 says that they were refused and the rest is loaded.
"$etl" ingest fixtures/rolls/SDF16P202501.zip --to duckdb:demo/rolls.duckdb || [ $? -eq 3 ]
"$etl" sql "SELECT sale_date, sale_prc, parcel_id, use_label FROM sales ORDER BY sale_prc DESC LIMIT 5" \
    --to duckdb:demo/rolls.duckdb
echo "the program is $etl; the database is demo/rolls.duckdb"
