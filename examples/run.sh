#!/usr/bin/env bash
# run.sh BINARY [serve settings]: binnacle with the host's own data and the demo application beside it. Ctrl-C (or SIGTERM) ends everything.
set -euo pipefail
binary=$(realpath "$1")
shift
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
data=${BINNACLE_DEMO_DATA:-$here/../data}
mkdir -p "$data/demo"
data=$(realpath "$data")
pids=()
say() { printf '\033[1m== %s\033[0m\n' "$*" >&2; }

stop() {
    trap - INT TERM EXIT
    say "stopping"
    kill "${pids[@]}" 2>/dev/null || true
    wait "${pids[@]}" 2>/dev/null || true
}
trap stop EXIT
trap 'exit 0' INT TERM

start() { # NAME COMMAND...: in the background, its output in data/demo/NAME.log
    local name=$1
    shift
    "$@" >>"$data/demo/$name.log" 2>&1 &
    pids+=($!)
}

redis_port=${DEMO_REDIS_PORT:-6390} flask_port=${DEMO_FLASK_PORT:-8081} node_port=${DEMO_NODE_PORT:-8082}
"$binary" serve --data "$data/store" \
    --scrape.target "http://127.0.0.1:$flask_port/metrics,http://127.0.0.1:$node_port/metrics" \
    --tail.files "/var/log/*.log,/var/log/syslog,/var/log/messages,/var/log/*/*.log,/var/log/pods/*/*/*.log,$data/demo/*.log" "$@" &
pids+=($!)

start redis redis-server --port "$redis_port" --bind 127.0.0.1 --save '' --appendonly no
start flask env PORT="$flask_port" REDIS_PORT="$redis_port" REMOTE="http://127.0.0.1:$node_port/" PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 "$here/flask/app.py"
services=("http://127.0.0.1:$flask_port")
if command -v npm >/dev/null; then
    [ -d "$here/node/node_modules" ] || (say "npm ci (the Node sample service)" && cd "$here/node" && npm ci --silent)
    start node env PORT="$node_port" REMOTE="http://127.0.0.1:$flask_port/" node "$here/node/server.js"
    services+=("http://127.0.0.1:$node_port")
else
    say "no npm: the Node sample service is left out"
fi
start traffic /usr/bin/python3 "$here/traffic.py" "${services[@]}"
say "the demo's own logs: $data/demo/; Ctrl-C stops everything"
# Ends when binnacle ends, or with the trap.
wait "${pids[0]}"
