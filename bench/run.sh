#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The figures of docs/benchmarks.md, measured on this machine.
#
#     bench/run.sh            all of it (a few minutes)
#     bench/run.sh load       only what a server does under load
#     bench/run.sh cold       only the cold start of `k1s get`
#
# Needs Go (the load generator) and, for the cold start, hyperfine; builds k1s itself. Another server is measured in
# the same way with KUBECONFIG_JSON=FILE bench/run.sh load (a kubeconfig in JSON; it must hold no load objects yet).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
target=${CARGO_TARGET_DIR:-target}
export CARGO_TARGET_DIR=$target
k1s=$target/release/k1s
dir=$(mktemp -d "${BENCH_DIR:-${TMPDIR:-/tmp}}/k1s-bench.XXXXXX")
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; wait 2>/dev/null; rm -rf "$dir"' EXIT

cargo build --release --quiet --bin k1s
(cd bench/kload && go build -o "$dir/kload" .)

memory() { [ -z "$server" ] || awk -v what="$1" '/^VmRSS/ {printf "resident memory, %s: %.1f MB\n", what, $2 / 1024}' "/proc/$server/status"; }

start() { # flags...
  local begun
  begun=$(date +%s%N)
  "$k1s" serve --listen 127.0.0.1:0 --write-kubeconfig "$dir/kc.yaml" "$@" >"$dir/out" &
  server=$!
  until grep -q '^k1s serving on' "$dir/out"; do sleep 0.001; done
  awk -v ns=$(($(date +%s%N) - begun)) 'BEGIN {printf "ready after %.1f ms\n", ns / 1e6}'
  "$k1s" config view --kubeconfig "$dir/kc.yaml" --raw --minify -o json >"$dir/kc.json"
}

stop() {
  kill "$server" && wait "$server" || true
  server=
}

load() { # kubeconfig
  local kload="$dir/kload"
  k() { "$kload" "$1" -kubeconfig "$kubeconfig" "${@:2}"; }
  local kubeconfig=$1
  memory idle
  k create -n 1000 -c 1 -prefix one
  k create -n 10000 -c 64 -prefix many
  k get -n 10000 -c 1 -prefix many
  k get -n 10000 -c 64 -prefix many
  k update -n 5000 -c 64 -prefix many
  k list -n 5
  k create -n 10000 -c 64 -kind pods
  k list -n 5 -kind pods
  memory "11 000 ConfigMaps and 10 000 Pods"
  k watch -n 500 -prefix w
  k watch -n 300 -watches 100 -prefix w100
  memory "at the end"
}

disk() {
  echo "# the disk: write + fdatasync of 1.1 KB"
  python3 - "$dir/sync" <<'P'
import os, sys, time
f = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY)
n, begun = 2000, time.time()
for _ in range(n):
    os.write(f, b"x" * 1100)
    os.fdatasync(f)
print(f"{n / (time.time() - begun):.0f}/s")
P
}

cold() {
  command -v hyperfine >/dev/null || { echo "cold start: install hyperfine to measure it"; return; }
  local count=${1:-10000}
  echo "# cold start, store of $count objects of 1 KB"
  start --data-dir "$dir/cold"
  "$dir/kload" create -kubeconfig "$dir/kc.json" -n "$count" -c 64 -prefix cold
  stop
  local name=cold-0000042
  hyperfine -N --warmup 20 --runs 300 /bin/true "$k1s --data-dir $dir/cold get cm $name -o json" "$k1s --data-dir $dir/cold get cm $name" 2>/dev/null |
    grep -E '^Benchmark|Time|Range'
  python3 - "$k1s" --data-dir "$dir/cold" get cm "$name" -o json <<'P'
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(f"resident memory of one get: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.1f} MB")
P
}

echo "# $(nproc) cores, $(uname -sr), $("$k1s" version --client 2>/dev/null | head -1)"
what=${1:-all}
if [ -n "${KUBECONFIG_JSON:-}" ]; then
  load "$KUBECONFIG_JSON"
  exit
fi
if [ "$what" = all ] || [ "$what" = load ]; then
  disk
  echo "# LMDB" && start --data-dir "$dir/lmdb" && load "$dir/kc.json" && stop
  echo "# memory" && start --memory && load "$dir/kc.json" && stop
fi
if [ "$what" = all ] || [ "$what" = cold ]; then cold "${COLD_OBJECTS:-10000}"; fi
