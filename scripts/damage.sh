#!/bin/sh
# Loads damaged rolls and checks that every damaged row, and no other, ends where it should. Of a
# workbook, the refused rows are then corrected in the exported sheet and loaded, and the table must
# be that of the clean roll (but for the rows that were loaded with a warning).
#   scripts/damage.sh [ROWS] [KIND:FORMAT…]      default: 20000 nal:csv sdf:csv nap:csv nal:xlsx
set -eu
. "$(dirname -- "$0")/env.sh"
rows=${1:-20000}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- nal:csv sdf:csv nap:csv nal:xlsx
# shellcheck disable=SC2086
cargo build --release $FEATURES --bin etl --example roll --example damage
out=${CARGO_TARGET_DIR:-target}/release
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
for case in "$@"; do
    kind=${case%:*}
    format=${case#*:}
    case $kind in
    nal) table=parcels ;;
    sdf) table=sales ;;
    *) table=tangible_property ;;
    esac
    name=$(echo "$kind" | tr '[:lower:]' '[:upper:]')16P202501.$format
    mkdir -p "$work/$case/clean"
    (
        cd "$work/$case"
        "$out/examples/roll" "$kind" --rows "$rows" --format "$format" --damage 1% \
            --out "$name" --clean "clean/$name"
        "$out/etl" ingest "clean/$name" --to duckdb:clean.duckdb --progress none
        code=0
        "$out/etl" ingest "$name" --to duckdb:damaged.duckdb --progress none || code=$?
        [ "$code" -eq 3 ] || { echo "$case: exit $code, not 3" >&2; exit 1; }
        workbook=
        [ "$format" != xlsx ] || workbook=--workbook
        echo "== $case, $rows rows"
        "$out/examples/damage" compare "$name.truth.csv" "$table" damaged.duckdb clean.duckdb \
            $workbook
        [ -n "$workbook" ] || exit 0
        "$out/etl" failures export ./*.failed.jsonl --format xlsx -o sheet.xlsx
        "$out/examples/damage" correct "$name.truth.csv" sheet.xlsx
        "$out/etl" reprocess-failures sheet.xlsx --to duckdb:damaged.duckdb --progress none
        "$out/examples/damage" compare "$name.truth.csv" "$table" damaged.duckdb clean.duckdb \
            --workbook --corrected
    ) || failed=1
done
exit $failed
