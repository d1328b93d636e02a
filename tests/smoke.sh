#!/usr/bin/env bash
# Smoke test of a release binary: is it static, does it start, answer, say how it is, and stop when told to.
#
#   tests/smoke.sh PATH/TO/vigilmon
#
# It needs no network: the one target is the instance itself.
set -euo pipefail

binary=$(realpath "${1:?which binary}")
root=$(realpath "$(dirname "$0")/..")
scratch=$(mktemp -d)
server=""

finish() {
  local code=$?
  if [ -n "$server" ]; then kill -KILL "$server" 2>/dev/null || true; fi
  if [ "$code" -ne 0 ] && [ -f "$scratch/log" ]; then
    echo "--- the instance said:" >&2
    tail -n 40 "$scratch/log" >&2
  fi
  rm -rf "$scratch"
}
trap finish EXIT

fail() {
  echo "smoke: $*" >&2
  exit 1
}

# Whether something accepts connections on this port of this machine.
is_open() {
  (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# The status line of a GET; no curl, because it may not be there.
status_of() {
  local port=$1 path=$2 line
  exec 3<>"/dev/tcp/127.0.0.1/$port" || return 1
  printf 'GET %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nConnection: close\r\n\r\n' "$path" "$port" >&3
  IFS= read -r -t 5 line <&3 || line=""
  exec 3<&- 3>&-
  printf '%s' "${line%$'\r'}"
}

echo "smoke: is it static"
# `ldd` says so by failing; what it prints differs between C libraries.
if command -v ldd >/dev/null && ldd "$binary" 2>&1 | grep -q '=>'; then fail "the binary wants shared libraries: $(ldd "$binary" 2>&1)"; fi
if command -v file >/dev/null; then file -b "$binary" | grep -Eq 'static(ally|-pie) linked' || fail "not static: $(file -b "$binary")"; fi

echo "smoke: version"
"$binary" version

echo "smoke: a job runs, whether its monitor is there or not"
job=0
said=$("$binary" exec --ping http://127.0.0.1:9/heartbeat/none --retries 0 -- /bin/sh -c 'echo ran; exit 7' 2>/dev/null) || job=$?
[ "$job:$said" = 7:ran ] || fail "the job said \`$said\` and exited with $job"

echo "smoke: the example is valid"
# Its secrets come from the environment; any value will do.
while IFS= read -r name; do export "$name=${!name:-placeholder}"; done < <(
  sed -E 's/^[[:space:]]*#.*//' "$root/config.example.yaml" | grep -oE '(\$\{|env: *)[A-Z][A-Z0-9_]+' | sed -E 's/^(\$\{|env: *)//' | sort -u
)
"$binary" validate --config "$root/config.example.yaml" || fail "config.example.yaml is not valid"

port=0
for _ in $(seq 50); do
  port=$((20000 + RANDOM % 12000))
  if ! is_open "$port"; then break; fi
done

mkdir "$scratch/config"
cat >"$scratch/config/vigilmon.yaml" <<YAML
instance:
  state_dir: $scratch/state
server:
  listen: 127.0.0.1:$port
monitors:
  - name: itself
    http: http://127.0.0.1:$port/healthz
    interval: 5s
    timeout: 2s
YAML

echo "smoke: a wrong config is refused with exit code 2"
sed 's/monitors:/monitor:/' "$scratch/config/vigilmon.yaml" >"$scratch/wrong.yaml"
code=0
"$binary" validate --config "$scratch/wrong.yaml" >"$scratch/problems" 2>&1 || code=$?
[ "$code" -eq 2 ] || fail "exit code $code instead of 2"
grep -q 'wrong.yaml:' "$scratch/problems" || fail "the problem does not name its file: $(cat "$scratch/problems")"

echo "smoke: it starts and answers on port $port"
"$binary" run --config "$scratch/config" >"$scratch/log" 2>&1 &
server=$!
for _ in $(seq 100); do
  kill -0 "$server" 2>/dev/null || fail "it ended instead of starting"
  if is_open "$port" && status_of "$port" /healthz | grep -q ' 200'; then break; fi
  sleep 0.1
done
answer=$(status_of "$port" /healthz)
[[ "$answer" == *" 200"* ]] || fail "/healthz answered: $answer"
"$binary" status --config "$scratch/config" || fail "status says that it is not well"

echo "smoke: it stops when told to"
kill -TERM "$server"
code=0
wait "$server" || code=$?
server=""
[ "$code" -eq 0 ] || fail "exit code $code after SIGTERM"
if is_open "$port"; then fail "the port is still open"; fi

echo "smoke: three of them decide together"
"$binary" demo --once || fail "the demo did not go as it should"

echo "smoke: fine"
