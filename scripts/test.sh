#!/bin/sh
# All tests: the README's second command.
set -eu
. "$(dirname -- "$0")/env.sh"
# shellcheck disable=SC2086
cargo test --release $FEATURES "$@"
