#!/bin/sh
# Writes the generated fixtures anew; `git diff --stat fixtures` then shows what changed.
set -eu
. "$(dirname -- "$0")/env.sh"
# shellcheck disable=SC2086
cargo build --release --example roll --example fixtures $FEATURES
examples=${CARGO_TARGET_DIR:-target}/release/examples
"$examples/fixtures" fixtures
rolls=fixtures/rolls
"$examples/roll" sdf --rows 2000 --damage 1% --format zip --out "$rolls/SDF16P202501.zip"
"$examples/roll" nal --rows 120 --damage 10% --out "$rolls/NAL16P202501.csv"
"$examples/roll" nap --rows 150 --damage 10% --out "$rolls/NAP16P202501.csv"
