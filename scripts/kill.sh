#!/bin/sh
# Kills loads of a made-up roll at random moments and proves that the same command then ends as if
# nothing had happened: same table, same failed records, same findings, ledger without a gap.
#
#   scripts/kill.sh [ROUNDS] [ROWS] [SEED] [more arguments for `etl ingest`]
#
# Every second round kills behind a commit, the others anywhere; every third kills the rerun, too.
# The seed is printed: the same one chooses the same moments again. With few rows make the commits
# smaller, as in: scripts/kill.sh 6 60000 1 --commit-rows 6000 --chunk-rows 2000
set -eu
. "$(dirname -- "$0")/env.sh"
rounds=${1:-20} rows=${2:-750000} seed=${3:-$$}
[ $# -le 3 ] && shift $# || shift 3
# shellcheck disable=SC2086
cargo build --release --quiet --bin etl --example roll $FEATURES
built=$(cd "${CARGO_TARGET_DIR:-target}/release" && pwd)
etl=$built/etl

work=$(mktemp -d)
pid=
# Only the load that is running is ended with us.
trap '[ -z "$pid" ] || kill -9 "$pid" 2>/dev/null || true; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
cd "$work"
roll=NAL16P202501.csv
"$built/examples/roll" nal --rows "$rows" --damage 1% --out "$roll" 2>roll.log

# The n-th random number of this seed, from 0 up to but not including $2.
random() {
    awk -v seed="$seed" -v n="$1" -v below="$2" \
        'BEGIN { srand(seed * 1000 + n); rand(); print int(rand() * below) }'
}

commits() {
    grep -c '"event":"committed"' "$1" 2>/dev/null || true
}

# Starts a load into folder $1 in the background.
start() {
    to=$1
    shift
    "$etl" ingest "$roll" --to "duckdb:$to/rolls.duckdb" --progress json --format json "$@" \
        >"$to/summary.json" 2>"$to/log" &
    pid=$!
}

# Waits for the load in the background; it must end well (3: some rows are refused).
finish() {
    code=0
    wait "$pid" || code=$?
    pid=
    if [ "$code" -ne 0 ] && [ "$code" -ne 3 ]; then
        echo "kill.sh: exit $code" >&2
        tail -5 "$1/log" >&2
        exit 1
    fi
}

# Kills the load in folder $1: after $2 commits of this process, or once it has ended.
kill_behind() {
    while [ "$(commits "$1/log")" -lt "$2" ] && kill -0 "$pid" 2>/dev/null; do
        sleep 0.02
    done
    kill_now
}

kill_now() {
    kill -9 "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    pid=
}

ask() {
    "$etl" sql "$2" --to "duckdb:$1/rolls.duckdb" --format csv --quiet
}

# All that a load leaves, but for run ids and times.
traces() {
    ask "$1" "SELECT count(*), sum(hash(r)::HUGEINT), bit_xor(hash(r)) FROM
        (SELECT * EXCLUDE (_etl_run, _etl_loaded_at) FROM parcels) r"
    ask "$1" "SELECT count(*), count(DISTINCT row), sum(hash(r)::HUGEINT) FROM
        (SELECT fingerprint, row, list_transform(errors, e -> e.code) codes, raw::VARCHAR AS raw
         FROM read_json('$1/*.failed.jsonl', sample_size = -1)) r"
    ask "$1" 'SELECT code, rule, "column", severity, sum(count) FROM etl.problems
        GROUP BY ALL ORDER BY ALL'
    ask "$1" "SELECT status, read - inserted - updated - unchanged - superseded - duplicate - filtered
            - rejected AS gap, read, inserted, duplicate, rejected,
            read - (SELECT sum(read)::BIGINT FROM etl.ranges) AS not_in_ranges,
            (SELECT string_agg(status, ' ') FROM etl.runs) AS runs
        FROM etl.inputs"
}

mkdir whole
began=$(date +%s%N)
start whole "$@"
finish whole
took=$((($(date +%s%N) - began) / 1000000))
all=$(commits whole/log)
traces whole >whole/traces
echo "$rows rows, seed $seed: undisturbed in $took ms with $all commits"

behind=0
round=1
while [ "$round" -le "$rounds" ]; do
    to=round$round
    mkdir "$to"
    start "$to" "$@"
    if [ $((round % 2)) -eq 0 ] && [ "$all" -gt 1 ]; then
        after=$((1 + $(random "$round" $((all - 1)))))
        kill_behind "$to" "$after"
        where="behind commit $after"
    else
        after=$(random "$round" "$took")
        sleep "$(awk -v ms="$after" 'BEGIN { print ms / 1000 }')"
        kill_now
        where="after $after ms"
    fi
    durable=$(commits "$to/log")
    [ "$durable" -eq 0 ] || behind=$((behind + 1))
    if [ $((round % 3)) -eq 0 ]; then
        again=$(random "$((round + 500))" "$took")
        start "$to" "$@"
        sleep "$(awk -v ms="$again" 'BEGIN { print ms / 1000 }')"
        kill_now
        where="$where, the rerun after $again ms"
    fi
    start "$to" "$@"
    finish "$to"
    from=$(sed -n 's/.*"resumed_from": *\([0-9]*\).*/\1/p' "$to/summary.json" | head -1)
    echo "round $round: killed $where ($durable commits); resumed from row ${from:-none}"
    if [ "$durable" -gt 0 ] && [ "${from:-0}" -le 2 ] \
        && ! grep -q already_loaded "$to/summary.json"; then
        echo "kill.sh: round $round began anew" >&2
        exit 1
    fi
    traces "$to" >"$to/traces"
    if ! diff whole/traces "$to/traces"; then
        echo "kill.sh: round $round ended differently (seed $seed)" >&2
        exit 1
    fi
    rm -rf "$to"
    round=$((round + 1))
done
echo "$rounds rounds, $behind of them killed behind a commit: all ended like the undisturbed load"
