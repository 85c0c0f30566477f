#!/bin/sh
# A PostgreSQL server that is thrown away: for tests, and to try things out.
#
#   scripts/postgres.sh start FOLDER PORT    makes a server in FOLDER (new or empty) and starts it
#   scripts/postgres.sh restart FOLDER       as after a crash: what was running is given up
#   scripts/postgres.sh stop FOLDER          ends it; the folder stays
#   scripts/postgres.sh bin                  prints the folder of its programs
#   scripts/postgres.sh pooler               prints the path of pgbouncer; nothing where it is not to be had
#
# User `etl` with the password `etl`, database `etl`, TCP on 127.0.0.1 only. It never runs as root:
# PostgreSQL refuses that, so root hands it to the user `postgres`, or `nobody`. Where the programs are
# missing, root gets them from the distribution (apt); somebody else is told to.
set -eu

bin() {
    for folder in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql*/bin; do
        if [ -x "$folder/initdb" ]; then
            echo "$folder"
            return
        fi
    done
    found=$(command -v initdb || true)
    [ -n "$found" ] && dirname -- "$found"
}

programs() {
    folder=$(bin)
    if [ -z "$folder" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "installing PostgreSQL from the distribution" >&2
        { apt-get update && DEBIAN_FRONTEND=noninteractive \
            apt-get install -y --no-install-recommends postgresql; } >&2
        folder=$(bin)
    fi
    if [ -z "$folder" ]; then
        echo "PostgreSQL is not installed; on Debian and Ubuntu: apt-get install postgresql" >&2
        exit 1
    fi
    echo "$folder"
}

# pgbouncer, where the distribution has it.
pooler() {
    for program in /usr/sbin/pgbouncer /usr/bin/pgbouncer /usr/local/bin/pgbouncer /opt/homebrew/bin/pgbouncer; do
        if [ -x "$program" ]; then
            echo "$program"
            return
        fi
    done
    if [ "${1:-}" != again ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "installing pgbouncer from the distribution" >&2
        # A service of it is not wanted: it would be started by its package.
        { apt-get update && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
            apt-get install -y --no-install-recommends pgbouncer; } >&2 || return 0
        pooler again
    fi
}

# Runs a command as somebody who is not root.
plainly() {
    if [ "$(id -u)" != 0 ]; then
        "$@"
    elif id postgres >/dev/null 2>&1; then
        runuser -u postgres -- "$@"
    else
        setpriv --reuid=nobody --regid=nogroup --clear-groups -- "$@"
    fi
}

start() {
    folder=$1 port=$2
    pg=$(programs)
    mkdir -p "$folder"
    if [ "$(id -u)" = 0 ]; then
        chown "$(plainly id -u):$(plainly id -g)" "$folder"
    fi
    chmod 700 "$folder"
    (
        cd "$folder"
        plainly sh -c "echo etl > '$folder/password'"
        plainly "$pg/initdb" -D "$folder/data" -U etl --pwfile="$folder/password" \
            --auth=scram-sha-256 --encoding=UTF8 --locale=C --no-sync >/dev/null
        plainly sh -c "cat >> '$folder/data/postgresql.conf'" <<CONF
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$folder'
max_connections = 50
log_min_messages = warning
${PG_CONF:-}
CONF
        plainly "$pg/pg_ctl" -D "$folder/data" -l "$folder/log" -w start >/dev/null
        PGPASSWORD=etl "$pg/psql" -q -h 127.0.0.1 -p "$port" -U etl -d postgres \
            -c 'CREATE DATABASE etl'
    )
}

case ${1:-} in
    start) start "$2" "$3" ;;
    restart)
        cd "$2" && plainly "$(programs)/pg_ctl" -D "$2/data" -l "$2/log" -m immediate -w restart >/dev/null
        ;;
    stop)
        cd "$2" && plainly "$(programs)/pg_ctl" -D "$2/data" -m immediate -w stop >/dev/null
        ;;
    bin) programs ;;
    pooler) pooler ;;
    *)
        sed -n '2,12s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
esac
