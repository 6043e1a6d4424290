#!/bin/sh
# A temporary MariaDB for tests, reachable only from this machine.
#   mariadb.sh start DIR   creates DIR if necessary, starts a server on a free port and prints the value for TEST_DATABASE_URL
#   mariadb.sh stop DIR    stops it; DIR may then be deleted
#   mariadb.sh restart DIR starts one that was stopped or killed at the address that it had
# MARIADB_ARGUMENTS may hold further arguments of the server.
# Needs Debian's mariadb-server (the service itself need not run).
set -eu

usage() {
  echo "usage: $0 start|stop|restart DIR" >&2
  exit 2
}

[ $# -eq 2 ] || usage
command=$1
mkdir -p "$2/tmp"
dir=$(cd "$2" && pwd)
user=$(id -un)
pid_file=$dir/mariadbd.pid
PATH=$PATH:/usr/sbin

# Below the ports that the system gives to connections, so that none takes it before the server listens.
free_port() {
  node -e 'const look = () => { const port = 15000 + Math.floor(Math.random() * 17000);
    const s = require("net").createServer().once("error", look).listen(port, "127.0.0.1", () => {
      console.log(port); s.close(); }); }; look()'
}

is_running() {
  [ -s "$pid_file" ] && is_alive "$(cat "$pid_file")"
}

# One that was killed and that nobody has asked after yet still has its number.
is_alive() {
  kill -0 "$1" 2>/dev/null && ! grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null
}

start() {
  if is_running; then
    cat "$dir/url"
    return
  fi
  if [ ! -d "$dir/data/mysql" ]; then
    mariadb-install-db --no-defaults --user="$user" --datadir="$dir/data" --skip-test-db \
      --auth-root-authentication-method=normal >"$dir/install.log" 2>&1
  fi
  if [ "$command" = restart ]; then
    password=$(sed 's|.*root:\(.*\)@.*|\1|' "$dir/url")
    port=$(sed 's|.*:\([0-9]*\)/$|\1|' "$dir/url")
  else
    password=$(node -p 'require("crypto").randomBytes(12).toString("hex")')
    port=$(free_port)
  fi
  echo "ALTER USER root@localhost IDENTIFIED BY '$password';" >"$dir/init.sql"
  socket=$(mktemp -u /tmp/pluto-mariadb-XXXXXX.sock)
  # What is committed outlives the process, though not the machine; strictness is what tests need.
  # Its own folder for temporary tables: a server that starts deletes those of others in a shared one.
  mariadbd --no-defaults --user="$user" --datadir="$dir/data" --tmpdir="$dir/tmp" --init-file="$dir/init.sql" \
    --bind-address=127.0.0.1 --port="$port" --socket="$socket" --pid-file="$pid_file" \
    --innodb-buffer-pool-size=64M --innodb-log-file-size=16M --innodb-flush-log-at-trx-commit=2 --sync-binlog=0 \
    --skip-log-bin --performance-schema=OFF --max-connections=200 --table-open-cache=1000 \
    --sql-mode=STRICT_TRANS_TABLES,STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,ONLY_FULL_GROUP_BY \
    ${MARIADB_ARGUMENTS:-} \
    >"$dir/server.log" 2>&1 </dev/null &
  echo "mysql://root:$password@127.0.0.1:$port/" >"$dir/url"
  tries=0
  until mariadb --no-defaults -uroot -p"$password" -h127.0.0.1 -P"$port" -e 'SELECT 1' >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ "$tries" -gt 150 ]; then
      echo 'MariaDB did not start:' >&2
      tail -n 20 "$dir/server.log" >&2
      exit 1
    fi
    sleep 0.2
  done
  cat "$dir/url"
}

stop() {
  is_running || return 0
  pid=$(cat "$pid_file")
  kill "$pid"
  while is_alive "$pid"; do sleep 0.1; done
}

case $command in
  start | restart) start ;;
  stop) stop ;;
  *) usage ;;
esac
