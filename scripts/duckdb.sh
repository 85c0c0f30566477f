#!/bin/sh
# Puts DuckDB's prebuilt library into .duckdb/, where the build links it (.cargo/config.toml).
# Compiling DuckDB itself takes about 40 CPU-minutes; this takes seconds. Does nothing, and says
# nothing, when the right library is there already.
#
# Exit codes: 0 there, 1 the download is not what it should be, 3 cannot be had here.
set -eu

# The library must be of the version whose C API the crate libduckdb-sys binds:
# 1.5.6 = libduckdb-sys 1.10506.x. Change both together, and the sums below.
version=1.5.6
package_version=1.5.6-r.1

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
target=$root/.duckdb

# The SHA-256 of the library, where we have checked it. Elsewhere npm's own check of the package
# against the registry is the only one.
case "$(uname -s)-$(uname -m)" in
Linux-x86_64)
    platform=linux-x64 library=libduckdb.so
    sum=3f4962cdd266eab2b479a5b5a4a6d063d279b2954ae814ed00385d553b747633
    ;;
Linux-aarch64 | Linux-arm64) platform=linux-arm64 library=libduckdb.so sum= ;;
Darwin-x86_64) platform=darwin-x64 library=libduckdb.dylib sum= ;;
Darwin-arm64) platform=darwin-arm64 library=libduckdb.dylib sum= ;;
*) platform= library= sum= ;;
esac

give_up() {
    echo "duckdb.sh: $1" >&2
    echo "duckdb.sh: build DuckDB from source instead: cargo build --release --features bundled" >&2
    exit 3
}

sha256() {
    if command -v sha256sum >/dev/null 2>&1; then
        sha256sum "$1" | cut -d' ' -f1
    else
        shasum -a 256 "$1" | cut -d' ' -f1
    fi
}

[ -n "$platform" ] || give_up "there is no prebuilt library for $(uname -s) $(uname -m)"

# glibc only: the library does not load on musl.
if [ "${platform%%-*}" = linux ] && ldd --version 2>&1 | grep -qi musl; then
    give_up "the prebuilt library needs glibc"
fi

# The stamp says which library this is; the sum, where there is one, that it is whole.
if [ -f "$target/$library" ] && [ "$(cat "$target/version" 2>/dev/null)" = "$package_version" ]; then
    if [ -z "$sum" ] || [ "$(sha256 "$target/$library")" = "$sum" ]; then
        exit 0
    fi
fi
if [ -n "$sum" ] && [ -f "$target/$library" ] && [ "$(sha256 "$target/$library")" = "$sum" ]; then
    echo "$package_version" >"$target/version"
    exit 0
fi

command -v npm >/dev/null 2>&1 || give_up "npm is not installed, which fetches the library"

mkdir -p "$target"
work=$(mktemp -d "$target/fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

package=@duckdb/node-bindings-$platform@$package_version
echo "duckdb.sh: fetching DuckDB $version ($package)" >&2
if ! (cd "$work" && npm pack --silent "$package" >npm.log 2>&1); then
    sed 's/^/duckdb.sh: /' "$work/npm.log" >&2
    give_up "npm cannot fetch $package"
fi
tar -xzf "$work"/*.tgz -C "$work" "package/$library" || give_up "$package holds no $library"

got=$(sha256 "$work/package/$library")
if [ -n "$sum" ] && [ "$got" != "$sum" ]; then
    echo "duckdb.sh: $library of $package is not the one we know:" >&2
    echo "duckdb.sh: its SHA-256 is $got, expected $sum" >&2
    exit 1
fi
chmod 644 "$work/package/$library"
# A rename, so that a stopped run leaves no half library.
mv -f "$work/package/$library" "$target/$library"
echo "$package_version" >"$target/version"
echo "duckdb.sh: $target/$library, SHA-256 $got" >&2
