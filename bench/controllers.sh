#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# How long a Deployment takes until all its pods run on hollow nodes, and what memory the process has then.
#
#     bench/controllers.sh [NODES [PODS]]        100 nodes and 1000 pods unless said otherwise
#
# Builds k1s, or takes the one that K1S names. Prints seconds until the nodes are Ready and until all pods are, and the
# resident memory before and after: in memory, then on a durable store in BENCH_DIR, with the writes that it did a second
# beside the disk's own loop of write and fdatasync.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
nodes=${1:-100} pods=${2:-1000}
target=${CARGO_TARGET_DIR:-target}
k1s=${K1S:-$target/release/k1s}
dir=$(mktemp -d "${BENCH_DIR:-${TMPDIR:-/tmp}}/k1s-bench.XXXXXX")
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; wait 2>/dev/null; rm -rf "$dir"' EXIT
[ -n "${K1S:-}" ] || cargo build --release --locked --quiet --bin k1s
cargo build --release --locked --quiet -p k1s-api --example bench_service
bench=$target/release/examples/bench_service

memory() { awk -v what="$1" '/^VmRSS/ {printf "resident memory, %s: %.1f MB\n", what, $2 / 1024}' "/proc/$server/status"; }

# Waits until a command prints a number, and tells how long that took.
until_count() { # what number command...
  local what=$1 number=$2 begun
  shift 2
  begun=$(date +%s%N)
  until [ "$("$@")" -ge "$number" ]; do sleep 0.02; done
  took=$(($(date +%s%N) - begun))
  awk -v what="$what" -v ns=$took 'BEGIN {printf "%s: %.2f s\n", what, ns / 1e9}'
}

k() { "$k1s" --kubeconfig "$dir/kc.yaml" "$@"; }
ready_nodes() { k get nodes --no-headers | grep -c ' Ready ' || true; }
ready_pods() { k get deployment load -o jsonpath='{.status.readyReplicas}' | grep . || echo 0; }

revision() { k get --raw '/api/v1/namespaces?limit=1' | sed -n 's/"items".*//; s/.*"resourceVersion":"\([0-9]*\)".*/\1/p'; }

run() { # flags...
  local before
  "$k1s" serve "$@" --listen 127.0.0.1:0 --write-kubeconfig "$dir/kc.yaml" --controllers all --hollow-nodes "$nodes" >"$dir/out" &
  server=$!
  until grep -q '^k1s serving on' "$dir/out"; do sleep 0.01; done
  until_count "$nodes nodes Ready" "$nodes" ready_nodes
  memory "$nodes nodes"
  before=$(revision)
  k create deployment load --image example.com/load --replicas "$pods" >"$dir/created"
  until_count "$pods pods Running and Ready" "$pods" ready_pods
  writes=$((($(revision) - before) * 1000000 / (took / 1000)))
  memory "$nodes nodes, $pods pods"
  kill "$server" && wait "$server" || true
  server=
}

echo "in memory"
run --memory
echo "durable"
before=$("$bench" disk "$dir")
run --data-dir "$dir/store"
loop=$(((before + $("$bench" disk "$dir")) / 2))
awk -v w=$writes -v d=$loop 'BEGIN {printf "writes: %d/s, %.2f of the disk\047s loop of write and fdatasync, %d/s\n", w, w / d, d}'
