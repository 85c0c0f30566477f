# Sourced by the other scripts: the library that the build links, and where it is not to be had the
# feature that compiles DuckDB instead. Sets FEATURES for cargo.
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
FEATURES=
if ! scripts/duckdb.sh; then
    echo "DuckDB is compiled from source: this takes long, once" >&2
    FEATURES="--features bundled"
fi
# Where cargo puts what it builds, also where the user's own settings say so.
if [ -z "${CARGO_TARGET_DIR:-}" ]; then
    CARGO_TARGET_DIR=$(cargo metadata --no-deps --format-version 1 |
        sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
    export CARGO_TARGET_DIR
fi
