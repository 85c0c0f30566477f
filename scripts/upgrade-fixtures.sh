#!/bin/sh
# Makes the fixtures of upgrades: what an old build has left in its targets, which the new build must go on
# with. tests/it/upgrade.rs reads them.
#
#   ETL=path/of/the/old/etl scripts/upgrade-fixtures.sh [NAME]
#
# The commands are those of fixtures/upgrade/*.commands (loaded.commands explains the form), the inputs those
# of scripts/upgrade-inputs.sh. For each list and target one archive fixtures/upgrade/NAME/LIST-TARGET.zip
# is written: the DuckDB file with its log, or an SQL dump, the failed-record files and sheets, and what
# the old build says of its runs (shown.jsonl). NAME is `ledger-1`, after the version of the ledger, unless
# it is given. Ids of runs and times differ each time, and so do the places where loads were killed.
# Needs zip, unzip and scripts/postgres.sh.
set -eu
cd "$(dirname -- "$0")/.."
root=$PWD
etl=$(realpath "${ETL:?the old build: ETL=path/of/etl}")
name=${1:-ledger-1}
here=$root/fixtures/upgrade
pg=$("$root/scripts/postgres.sh" bin)
port=${PORT:-$((20000 + $$ % 20000))}
work=$(mktemp -d)
chmod 755 "$work"
trap '"$root/scripts/postgres.sh" stop "$work/server" 2>/dev/null || true; rm -rf "$work"' EXIT
export PGPASSWORD=etl MASK_KEY=pepper HOME="$work"
mkdir -p "$here/$name"

psql() {
    "$pg/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$port" -U etl -d etl -c "$1"
}

fail() {
    echo "upgrade-fixtures.sh: $list, $target: $*" >&2
    exit 1
}

# Arguments of a command, with its target.
to() {
    case $1 in
        duckdb) echo duckdb:rolls.duckdb ;;
        *:*) echo "postgres://etl:etl@127.0.0.1:$port/etl?schema=${1#*:}" ;;
        *) echo "postgres://etl:etl@127.0.0.1:$port/etl" ;;
    esac
}

# Runs a command to its end, which must be exit $1.
ended() {
    code=0
    "$etl" "$@" >"$work/out" 2>&1 <"$input" || code=$?
    [ "$code" = "$wanted" ] || { cat "$work/out"; fail "exit $code instead of $wanted: $*"; }
}

# Starts a load and kills it with signal $signal behind $wanted commits; it must not have ended by then.
killed() {
    rm -f "$work/events"
    mkfifo "$work/events"
    "$etl" "$@" --progress json >/dev/null 2>"$work/events" <"$input" &
    pid=$!
    seen=0
    while read -r event; do
        case $event in *'"committed"'*) seen=$((seen + 1)) ;; esac
        if [ "$seen" -ge "$wanted" ]; then
            kill -"$signal" "$pid" || fail "it had ended already: $*"
            cat >/dev/null
            break
        fi
    done <"$work/events"
    code=0
    wait "$pid" || code=$?
    [ "$code" = 137 ] || [ "$code" = 130 ] || fail "exit $code instead of being killed: $*"
    # The server may still be at work for it.
    [ "$target" = duckdb ] || while [ "$(psql "SELECT count(*) FROM pg_stat_activity \
        WHERE application_name <> 'psql' AND backend_type = 'client backend'")" != 0 ]; do sleep 0.1; done
}

# A sheet of the refused rows of a file in which each price or value is corrected.
sheet() {
    record=$(ls "$1".*.failed.jsonl | head -1)
    wanted=0
    case $2 in
        *.csv)
            ended failures export "$record" --format csv --out "$2"
            sed 's/,much,/,95000,/; s/,N\/K,/,95000,/' "$2" >"$work/sheet"
            cp "$work/sheet" "$2"
            ;;
        *.xlsx)
            ended failures export "$record" --format xlsx --out "$2"
            mkdir "$work/book"
            (
                cd "$work/book"
                unzip -q "$work/place/$2"
                sed -i 's/>much</>95000</g; s/>N\/K</>95000</g' xl/sharedStrings.xml
                rm "$work/place/$2"
                zip -X -q -r "$work/place/$2" .
            )
            rm -r "$work/book"
            ;;
    esac
}

# One line of a list.
command_of() {
    of=$1 wanted=$2
    shift 3
    input=/dev/null
    case $wanted in
        sql) psql "$*" ; return ;;
        sheet) sheet "$@" ; return ;;
    esac
    words=
    for word in "$@"; do
        case $word in
            '<'*) input=${word#<} ;;
            *) words="$words $word" ;;
        esac
    done
    create=
    [ "$of" = duckdb ] || [ "$1" != ingest ] || create=--create
    # shellcheck disable=SC2086
    case $wanted in
        kill:*) signal=KILL wanted=${wanted#kill:} && killed $words $create --to "$(to "$of")" ;;
        int:*) signal=INT wanted=${wanted#int:} && killed $words $create --to "$(to "$of")" ;;
        *) ended $words $create --to "$(to "$of")" ;;
    esac
}

# What the old build says of each run, one JSON object a line. DuckDB is asked in a copy: to open the file
# would tidy up what a kill has left.
shown() {
    rm -rf "$work/copy"
    mkdir "$work/copy"
    [ "$target" = postgres ] || cp rolls.duckdb* "$work/copy"
    (
        cd "$work/copy"
        "$etl" sql 'SELECT run FROM etl.runs ORDER BY run' --to "$(to "$target")" --format csv |
            sed 1d | tr -d '\r' | while read -r run; do
            "$etl" runs show "$run" --to "$(to "$target")" --format json </dev/null | tr -d '\n'
            echo
        done
    ) >shown.jsonl
}

# All lines of a list for a target, and what they leave.
make() {
    list=$1 target=$2
    rm -rf "$work/place"
    cp -r "$here/inputs" "$work/place"
    cd "$work/place"
    find . -name '*.gz' -exec gunzip -q {} +
    find . -type f | sort >"$work/before"
    [ "$target" = duckdb ] || "$root/scripts/postgres.sh" start "$work/server" "$port"
    while read -r of wanted again words; do
        case $of in
            '' | '#'*) continue ;;
            both) of=$target ;;
            "$target" | "$target":*) ;;
            *) continue ;;
        esac
        # shellcheck disable=SC2086
        command_of "$of" "$wanted" "$again" $words </dev/null
    done <"$here/$list.commands"
    shown
    if [ "$target" = postgres ]; then
        "$pg/pg_dump" -h 127.0.0.1 -p "$port" -U etl -d etl --no-owner --no-privileges |
            grep -v '^\\\(un\)\{0,1\}restrict ' >dump.sql
        "$root/scripts/postgres.sh" stop "$work/server"
        rm -rf "$work/server"
    fi
    find . -type f | sort | comm -13 "$work/before" - >"$work/after"
    rm -f "$here/$name/$list-$target.zip"
    zip -X -q -9 "$here/$name/$list-$target.zip" -@ <"$work/after"
    cd "$root"
    ls -l "$here/$name/$list-$target.zip"
}

for one in loaded half replay; do
    make "$one" duckdb
    make "$one" postgres
done
