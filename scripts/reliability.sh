#!/bin/sh
# Kills, restarts, cuts, full disks, files that change and other trouble for loads into both targets, and
# the proof that the same command then ends as if nothing had happened.
#
#   scripts/reliability.sh [short|long] [SEED] [FILE]
#
# short: below a minute, as CI runs it. long: at least 200 kills of each target, 100 cuts between COMMIT
# and its answer, and 40 changed files of each target; the table goes into FILE (without it, to the
# terminal). The seed is printed: the same one chooses the same moments again. Tables on record are in
# benches/reliability.
set -eu
. "$(dirname -- "$0")/env.sh"
form=${1:-short} seed=${2:-$$} out=${3:-}
case $form in
    short) set -- --rows 6000 --kills 4 --restarts 1 --cuts 4 --full 1 --pairs 1 --torn 1 --replays 1 --pooled 1 --changes 3 ;;
    long) set -- --kills 200 --restarts 25 --cuts 100 --full 10 --pairs 10 --torn 10 --replays 20 --pooled 20 --changes 40 ;;
    *)
        sed -n '2,12s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
esac
# shellcheck disable=SC2086
cargo build --release --quiet --bin etl --example roll --example faults $FEATURES
built=$(cd "${CARGO_TARGET_DIR:-target}/release" && pwd)
echo "seed $seed" >&2
exec "$built/examples/faults" --etl "$built/etl" --roll "$built/examples/roll" \
    --postgres "$root/scripts/postgres.sh" --seed "$seed" ${out:+--out "$out"} "$@"
