# Shared by the scripts of this directory: three regions on this machine. Read by `source`, not run.
# shellcheck shell=bash

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
data=${TALLY_DATA:-$here/data}
host=${TALLY_HOST:-127.0.0.1}
base=${TALLY_BASE_PORT:-7401}
names=(east-1 north-1 west-1)
regions=(east north west)

# The program: TALLY names another build.
tally=${TALLY:-$root/.build/release/tally}

say() { printf '%s\n' "$*"; }
fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

client_port() { echo $((base + $1)); }
peer_port() { echo $((base + 100 + $1)); }
http_port() { echo $((base + 200 + $1)); }

# A comma-separated list of all client addresses, or all peer addresses.
addresses() {
  local list="" i
  for i in "${!names[@]}"; do list+="${list:+,}$host:$("$1" "$i")"; done
  echo "$list"
}
clients=$(addresses client_port)
peers=$(addresses peer_port)

# The number of a node from its name.
index_of() {
  local i
  for i in "${!names[@]}"; do
    if [[ ${names[$i]} == "$1" ]]; then
      echo "$i"
      return
    fi
  done
  fail "no node '$1': ${names[*]}"
}

# The process of a node, if it runs: the number kept in its file, and only if that process still is a tally.
running_pid() {
  local file=$data/${names[$1]}.pid pid
  [[ -f $file ]] || return 1
  pid=$(<"$file")
  [[ $pid =~ ^[0-9]+$ ]] || return 1
  [[ $(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") == *" start --name ${names[$1]} "*"$data/${names[$1]} "* ]] || return 1
  echo "$pid"
}

# What each of the nodes may use of this machine's memory, in MiB: a quarter.
memory_share() {
  local total limit
  total=$(awk '/^MemTotal:/ {print int($2 / 1024)}' /proc/meminfo)
  for limit in /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes; do
    [[ -r $limit ]] && limit=$(<"$limit") || continue
    [[ $limit =~ ^[0-9]+$ ]] && limit=${limit%[0-9][0-9][0-9][0-9][0-9][0-9]} || continue
    ((${limit:-0} > 0 && limit < total)) && total=$limit
  done
  echo $((total / 4 > 128 ? total / 4 : 128))
}

start_node() {
  local i=$1 name=${names[$1]}
  if running_pid "$i" >/dev/null; then return; fi
  mkdir -p "$data"
  # Its own session, so that the end of this terminal is not the end of the node.
  setsid "$tally" start --name "$name" --region "${regions[$i]}" --data "$data/$name" \
    --listen "$host:$(client_port "$i")" --peer "$host:$(peer_port "$i")" --join "$peers" \
    --http "$host:$(http_port "$i")" \
    --memory-limit-mb "$(memory_share)" >>"$data/$name.log" 2>&1 </dev/null &
  echo $! >"$data/$name.pid"
}

# Has a node that runs stop, and waits for its end: 30 s at most.
stop_node() {
  local pid
  pid=$(running_pid "$1") || return 0
  kill -TERM "$pid" 2>/dev/null || true
  wait_for 30 ended "$pid" || return 1
  rm -f "$data/${names[$1]}.pid"
}
ended() { ! kill -0 "$1" 2>/dev/null || [[ $(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null) == Z ]]; }

# Waits until a command succeeds: wait_for SECONDS COMMAND…
wait_for() {
  local until=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < until)) || return 1
    sleep 0.1
  done
}

answers() { "$tally" nodes --to "$1" --timeout 2; }
is_healthy() { "$tally" status --to "$clients" --timeout 5; }

# The last words of each log, for a person who wants to know why.
show_logs() {
  local name
  for name in "${names[@]}"; do
    [[ -f $data/$name.log ]] || continue
    say "--- $data/$name.log" >&2
    tail -n 5 "$data/$name.log" >&2
  done
}
