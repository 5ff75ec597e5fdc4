#!/usr/bin/env bash
# The db service's entrypoint: gives the role the password of this start, then starts PostgreSQL as the image does.
# The image itself sets POSTGRES_PASSWORD only while the volume is empty; a changed one would end in
# "password authentication failed". The server is down here, so its single-user mode may be used; the
# password goes in by stdin and stands in no log and no argument.
set -euo pipefail

as_postgres() {
  if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --init-groups "$@"; else "$@"; fi
}

if [ -s "$PGDATA/PG_VERSION" ]; then
  role=${POSTGRES_USER//\"/\"\"}
  password=${POSTGRES_PASSWORD//\'/\'\'}
  # -j: a statement ends at a semicolon and an empty line, so that a password may hold any character.
  printf "ALTER ROLE \"%s\" PASSWORD '%s';\n\n" "$role" "$password" |
    as_postgres postgres --single -j -D "$PGDATA" \
      -c standard_conforming_strings=on -c log_statement=none -c log_min_duration_statement=-1 \
      -c log_min_error_statement=panic -c logging_collector=off "${POSTGRES_DB:-postgres}" >/dev/null ||
    echo "start.sh: the password was not set; PostgreSQL starts with the one it has." >&2
fi

exec docker-entrypoint.sh "${@:-postgres}"
