#!/bin/sh
# Loads every file of a folder of public test files and writes what came of it as a table.
#
#   scripts/scores.sh FOLDER [FILE]     FILE: benches/scores/DATE.md where none is given
#   scripts/scores.sh FOLDER --check    nothing is kept; ends with an error where a file crashes the
#                                       program, hangs it or is refused without a code, or where a
#                                       score is below benches/scores/floors.toml
#
# The folder is no part of the project; where it is not there, nothing is scored.
set -eu
corpora=${1:?give the folder of the test files}
if [ ! -d "$corpora" ]; then
    echo "there is no folder $corpora: nothing is scored" >&2
    exit 0
fi
corpora=$(cd "$corpora" && pwd)
. "$(dirname -- "$0")/env.sh"
date=$(date +%Y-%m-%d)
out=${2:-benches/scores/$date.md} floors=
if [ "$out" = --check ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    out=$work/scores.md floors="--floors benches/scores/floors.toml"
fi
# shellcheck disable=SC2086
cargo build --release --bin etl --example scores $FEATURES
built=$(cd "${CARGO_TARGET_DIR:-target}/release" && pwd)
# shellcheck disable=SC2086
"$built/examples/scores" "$corpora" --etl "$built/etl" --out "$out" --date "$date" $floors
