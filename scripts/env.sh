# Sourced by the other scripts: the library that the build links, and where it is not to be had the
# feature that compiles DuckDB instead. Sets FEATURES for cargo.
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
FEATURES=
if ! scripts/duckdb.sh; then
    echo "DuckDB is compiled from source: this takes long, once" >&2
    FEATURES="--features bundled"
fi
