#!/bin/sh
# Times etl beside its peers on a made-up roll, in one run on one machine, and prints a table.
#
#   scripts/bench.sh [ROWS] [REPEATS] > benches/runs/DATE.md
#
# Peers that are not installed are named and left out: DuckDB's own read_csv through its Python
# module (python3 -m pip install duckdb), and its read_xlsx, which is an extension of that module
# (python3 -m pip install duckdb-extension-excel; $PYTHON names another interpreter). Each figure is the
# median of REPEATS runs after one that does not count. The programs take turns, each beside the one it is
# compared with, and a ratio is the median of the ratios of the rounds: a machine that drifts drifts for
# both.
set -eu
. "$(dirname -- "$0")/env.sh"
rows=${1:-750000} repeats=${2:-3} python=${PYTHON:-python3}
# shellcheck disable=SC2086
cargo build --release --quiet --bin etl --example roll --example book $FEATURES >&2
built=$(cd "${CARGO_TARGET_DIR:-target}/release" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
roll=NAL16P202501.csv
"$built/examples/roll" nal --rows "$rows" --out "$roll" >&2
book=NAL16P202501.xlsx book_rows=$((rows < 200000 ? rows : 200000))
"$built/examples/roll" nal --rows "$book_rows" --format xlsx --out "$book" >&2
cat "$roll" "$book" >/dev/null

cat >peer.py <<'PY'
import duckdb, os, sys
settings = {"memory_limit": "512MB", "preserve_insertion_order": "false"} if sys.argv[1] != "default" else {}
con = duckdb.connect("peer.duckdb", config=settings)
buffer = ", buffer_size=8000000" if sys.argv[1] != "default" else ""
whole = ", sample_size=-1" if sys.argv[1] == "whole" else ""
con.execute(f"CREATE TABLE t AS SELECT * FROM read_csv('{sys.argv[2]}'{buffer}{whole})")
con.execute("CHECKPOINT")
PY

cat >peer_summarize.py <<'PY'
import duckdb, sys
con = duckdb.connect(config={"memory_limit": "256MB", "preserve_insertion_order": "false"})
con.execute(f"SUMMARIZE SELECT * FROM read_csv('{sys.argv[1]}', buffer_size=8000000)").fetchall()
PY

# Types found from its sample do not hold for a whole roll, so the peer reads text.
cat >peer_book.py <<'PY'
import duckdb, glob, os, sys
import duckdb_extension_excel
folder = os.path.dirname(duckdb_extension_excel.__file__)
con = duckdb.connect("peer.duckdb")
con.execute(f"LOAD '{glob.glob(folder + '/**/excel.duckdb_extension', recursive=True)[0]}'")
con.execute(f"CREATE TABLE t AS SELECT * FROM read_xlsx('{sys.argv[1]}', all_varchar=true)")
con.execute("CHECKPOINT")
PY

# One timed run: wall seconds, CPU seconds, peak MiB.
timed() {
    rm -f ./*.duckdb* ./*.jsonl
    python3 - "$@" <<'PY'
import os, resource, subprocess, sys, time
start = time.time()
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
wall = time.time() - start
use = resource.getrusage(resource.RUSAGE_CHILDREN)
if code not in (0, 3):
    sys.exit(f"{sys.argv[1:]} ended with {code}")
print(f"{wall:.2f} {use.ru_utime + use.ru_stime:.2f} {use.ru_maxrss / 1024:.0f}")
PY
}

names="agents bare check unknown profile book read_book"
agents() { timed "$built/etl" ingest "$roll" --to duckdb:ours.duckdb --progress none; }
bare() { ETL_AGENTS=none timed "$built/etl" ingest "$roll" --to duckdb:ours.duckdb --progress none; }
unknown() { timed "$built/etl" ingest "$roll" --type generic --to duckdb:ours.duckdb --progress none; }
check() { timed "$built/etl" check "$roll" --progress none; }
profile() { timed "$built/etl" profile "$roll" --memory-limit 256MiB --progress none; }
summarize() { timed "$python" peer_summarize.py "$roll"; }
book() { timed "$built/etl" ingest "$book" --to duckdb:ours.duckdb --progress none; }
read_book() { timed "$built/etl" check "$book" --progress none; }
best() { timed "$python" peer.py best "$roll"; }
whole() { timed "$python" peer.py whole "$roll"; }
plain() { timed "$python" peer.py default "$roll"; }
peer_book() { timed "$python" peer_book.py "$book"; }
if "$python" -c 'import duckdb' 2>/dev/null; then
    names="agents best bare check unknown whole profile summarize plain book read_book"
else
    echo "DuckDB's Python module is not installed: no peer" >&2
fi
if "$python" -c 'import duckdb_extension_excel' 2>/dev/null; then
    names=$(echo "$names" | sed 's/ book / book peer_book /')
else
    echo "DuckDB's extension for workbooks is not installed: no peer for them" >&2
fi

round=0
while [ "$round" -le "$repeats" ]; do
    for name in $names; do
        figures=$($name)
        [ "$round" -eq 0 ] || echo "$figures" >>"$name.figures"
    done
    round=$((round + 1))
done

middle() { sort -n -k "$2" "$1.figures" | awk -v column="$2" '{ v[NR] = $column } END { print v[int((NR + 1) / 2)] }'; }
title() {
    case $1 in
    agents) echo "etl ingest, all agents" ;;
    bare) echo "etl ingest, no agents (source columns, types and keys checked)" ;;
    unknown) echo "etl ingest as an unknown table, types found over the whole file" ;;
    whole) echo "DuckDB read_csv, CREATE TABLE AS, best settings, sample_size=-1" ;;
    check) echo "etl check (everything but the load)" ;;
    profile) echo "etl profile, limit 256 MiB (values, quantiles, shapes, keys, findings)" ;;
    summarize) echo "DuckDB SUMMARIZE of read_csv, limit 256 MB" ;;
    book) echo "etl ingest, all agents, a workbook of $book_rows rows" ;;
    read_book) echo "etl check of that workbook" ;;
    best) echo "DuckDB read_csv, CREATE TABLE AS, best settings" ;;
    peer_book) echo "DuckDB read_xlsx of that workbook, CREATE TABLE AS, all text" ;;
    plain) echo "DuckDB read_csv, CREATE TABLE AS, defaults" ;;
    esac
}
echo "# $(date -u +%Y-%m-%d), $(uname -sm), $(getconf _NPROCESSORS_ONLN) cores, commit $(git -C "$root" rev-parse --short HEAD)"
echo
echo "\`scripts/bench.sh $rows $repeats\`: a synthetic NAL of $rows rows, $(wc -c <"$roll") bytes, in the page cache; medians."
echo
echo "| what | wall s | CPU s | peak MiB | wall against DuckDB |"
echo "|---|---|---|---|---|"
# The median of the ratios of two programs in the same rounds, column $3 of their figures.
ratio() {
    [ -f "$2.figures" ] || { echo "-"; return; }
    paste -d ' ' "$1.figures" "$2.figures" | awk -v column="$3" '{ print $column / $(column + 3) }' |
        sort -n | awk '{ v[NR] = $1 } END { printf "%.2f", v[int((NR + 1) / 2)] }'
}
for name in $names; do
    wall=$(middle "$name" 1)
    # Against its best settings; for the workbook against its read_xlsx; for a table whose types are
    # found over all rows against the same.
    case $name in
    *book) base=peer_book ;;
    profile | summarize) base=summarize ;;
    unknown | whole) base=whole ;;
    *) base=best ;;
    esac
    echo "| $(title "$name") | $wall | $(middle "$name" 2) | $(middle "$name" 3) | $(ratio "$name" $base 1) |"
done
echo
awk -v more="$(awk -v all="$(ratio agents bare 2)" 'BEGIN { print all - 1 }')" 'BEGIN {
    printf "Rules, cleaning and enrichment together cost %.2f times the CPU that reading, typing and loading " \
        "the same file costs (asked: at most 0.5).\n", more }'
echo
echo "That workbook on one thread (\`examples/book\`):"
echo
"$built/examples/book" "$book" "$repeats"
