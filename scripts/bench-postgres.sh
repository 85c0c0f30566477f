#!/bin/sh
# Times loads into a PostgreSQL server of its own beside `psql \copy` of the same file, in one run on one
# machine, and prints a table. \copy goes into two tables with the key of the load's: one has the file's
# columns, the other all columns of the load's, where those that only etl fills stay empty.
#
#   scripts/bench-postgres.sh [ROWS] [REPEATS] > benches/runs/DATE-postgres.md
#
# A round is all of them, one after the other; the first round does not count. A figure is the median of the
# rounds, and a ratio the median of the ratios of the rounds: a machine that drifts drifts for all of them.
set -eu
. "$(dirname -- "$0")/env.sh"
rows=${1:-300000} repeats=${2:-3}
# shellcheck disable=SC2086
cargo build --release --quiet --bin etl --example roll $FEATURES >&2
built=$(cd "${CARGO_TARGET_DIR:-target}/release" && pwd)
postgres=$root/scripts/postgres.sh
work=$(mktemp -d)
chmod a+rx "$work"
server=$work/server
# Some port that is free most likely; the start fails loudly where it is not.
port=$((20000 + $$ % 20000))
trap 'sh "$postgres" stop "$server" >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
psql=$(sh "$postgres" bin)/psql
PG_CONF='max_wal_size = 4GB
shared_buffers = 256MB' sh "$postgres" start "$server" "$port"
export PGPASSWORD=etl PGOPTIONS="-c client_min_messages=warning"
to=postgres://etl@127.0.0.1:$port/etl
ask() {
    "$psql" -X -q -A -t -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$port" -U etl -d etl "$@"
}
cd "$work"
roll=NAL16P202501.csv final=NAL16F202501.csv
"$built/examples/roll" nal --rows "$rows" --out "$roll" >&2
# The same rows under the name of the final release.
cp "$roll" "$final"
load() {
    "$built/etl" ingest "$1" --to "$to" --create --progress none --quiet --failed failed || [ $? = 3 ]
}

# Tables for \copy: the roll's own columns with their types and the same key, and all columns.
"$built/etl" ingest "$roll" --limit 10 --to "$to" --create --progress none --quiet --failed failed || [ $? = 3 ]
columns=$(head -n 1 "$roll" | tr -d '\r' | tr 'A-Z' 'a-z' | sed 's/[^,]*/"&"/g')
key=$(ask -c "SELECT string_agg(quote_ident(a.attname), ', ') FROM pg_index i JOIN pg_attribute a \
    ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) WHERE i.indrelid = 'parcels'::regclass AND i.indisprimary")
ask -c "CREATE TABLE public.raw AS SELECT $columns FROM parcels WITH NO DATA; ALTER TABLE public.raw ADD PRIMARY KEY ($key); \
    CREATE TABLE public.wide AS SELECT * FROM parcels WITH NO DATA; ALTER TABLE public.wide ADD PRIMARY KEY ($key)"

now() { date +%s%N; }
# Times the command that follows into file $1, in milliseconds.
timed() {
    into=$1
    shift
    begun=$(now)
    "$@"
    echo $((($(now) - begun) / 1000000)) >>"$into"
}
copy() { ask -c "\\copy public.$1 ($columns) FROM '$roll' (FORMAT csv, HEADER)"; }
fresh() {
    ask -c "TRUNCATE public.raw, public.wide; DROP TABLE IF EXISTS parcels; DROP SCHEMA IF EXISTS etl CASCADE; CHECKPOINT"
}
round=0
while [ "$round" -le "$repeats" ]; do
    fresh
    timed copy copy raw
    ask -c CHECKPOINT
    timed wide copy wide
    ask -c CHECKPOINT
    timed load load "$roll"
    ask -c CHECKPOINT
    timed merge load "$final"
    [ "$round" -gt 0 ] || rm copy wide load merge
    round=$((round + 1))
done
median() { sort -n "$@" | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'; }
# The times of a file, one a round; and its ratios to those of \copy, round by round.
all() { awk '{ printf "%s%.2f", (NR > 1 ? ", " : ""), $1 / 1000 }' "$1"; }
ratios() { paste "$1" copy | awk '{ print $1 / $2 }'; }
line() {
    awk -v name="$1" -v took="$(median "$2")" -v ratio="$(ratios "$2" | median)" -v all="$(all "$2")" \
        'BEGIN { printf "| %s | %.2f s | %.2f | %s |\n", name, took / 1000, ratio, all }'
}
echo "# PostgreSQL: $rows parcels of 165 columns, $(du -m "$roll" | cut -f1) MB of CSV, medians of $repeats"
echo
printf '%s\n' '| work | wall | of \copy | rounds, s |'
echo "|---|---|---|---|"
line "\`psql \\\\copy\` into the file's columns, same key" copy
line "\`psql \\\\copy\` into all columns of the load, same key" wide
line "\`etl ingest\`, all agents, into a new table" load
line "\`etl ingest\` of the same rows as the final release (unchanged, releases raised)" merge
