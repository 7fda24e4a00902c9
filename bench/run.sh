#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The figures of docs/benchmarks.md, measured on this machine, as tables to paste there.
#
#     bench/run.sh                      all of it: about ten minutes on two cores, four of them for building
#     bench/run.sh load cold service    only these parts
#
# Parts: build (a clean release build), load (a server under load, LMDB and memory), cold (one command, from its start to
# its end, on stores of 100 and a million objects), service (in process, no sockets).
#
# Needs Go (the load generator); for `cold` also Debian's hyperfine, sqlite3 and time. It builds k1s itself. Nothing else should
# run meanwhile. Another server is measured in the same way with KUBECONFIG_JSON=FILE bench/run.sh load (a kubeconfig in
# JSON; it must hold no load objects yet). BENCH_DIR is where stores are written: it decides which disk is measured.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}
k1s=$CARGO_TARGET_DIR/release/k1s
dir=$(mktemp -d "${BENCH_DIR:-${TMPDIR:-/tmp}}/k1s-bench.XXXXXX")
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; wait 2>/dev/null; rm -rf "$dir"' EXIT
declare -A cell
rows=()

say() { echo "# $*" >&2; }

# One cell of the table of a server under load.
note() { # row column value
  [ -n "${cell[$1|]+x}" ] || { rows+=("$1") && cell["$1|"]=; }
  cell["$1|$2"]=$3
  say "$2: $1: $3"
}

# ---- build ----

build() {
  local clean=$dir/clean begun=$SECONDS
  say "a clean release build"
  CARGO_TARGET_DIR=$clean bash -c 'time cargo build --release --locked --quiet --bin k1s' 2>"$dir/time"
  awk -v wall=$((SECONDS - begun)) -v bytes="$(stat -c %s "$clean/release/k1s")" -v cores="$(nproc)" '
    function seconds(t) {split(t, p, /[ms]/); return p[1] * 60 + p[2]}
    /^(user|sys)/ {cpu += seconds($2)}
    END {printf "\nA clean `cargo build --release --bin k1s` took %d min %d s on %d cores (%d s of processor time); the binary has %.1f MB.\n", wall / 60, wall % 60, cores, cpu, bytes / 1e6}' "$dir/time"
  rm -rf "$clean"
}

# ---- load ----

start() { # column flags...
  local begun
  begun=$(date +%s%N)
  "$k1s" serve --listen 127.0.0.1:0 --write-kubeconfig "$dir/kc.yaml" "${@:2}" >"$dir/out" &
  server=$!
  until grep -q '^k1s serving on' "$dir/out"; do sleep 0.001; done
  note "start until ready" "$1" "$(awk -v ns=$(($(date +%s%N) - begun)) 'BEGIN {printf "%.0f ms", ns / 1e6}')"
  "$k1s" config view --kubeconfig "$dir/kc.yaml" --raw --minify -o json >"$dir/kc.json"
}

stop() {
  kill "$server" && wait "$server" || true
  server=
}

memory() { # column what
  [ -z "$server" ] || note "resident memory, $2" "$1" "$(awk '/^VmRSS/ {printf "%.0f MB", $2 / 1024}' "/proc/$server/status")"
}

# Runs kload and notes what it printed: rate, p50, or p50 and p99. The rate is in `rate` afterwards.
k() { # row column what-to-note kload-arguments...
  local out
  out=$("$dir/kload" "$4" -kubeconfig "$kubeconfig" "${@:5}" | tail -n 1)
  rate=$(sed -n 's/.*rate=\([0-9]*\).*/\1/p' <<<"$out")
  note "$1" "$2" "$(awk -v what="$3" '
    function ms(t) {return t ~ /µs$/ ? t / 1000 : t ~ /ms$/ ? t + 0 : t ~ /s$/ ? t * 1000 : 0}
    {for (i = 1; i <= NF; i++) {split($i, p, "="); v[p[1]] = p[2]}}
    END {
      if (what == "rate") {r = v["rate"] + 0; printf (r >= 1000 ? "%d %03d/s" : "%d/s"), (r >= 1000 ? int(r / 1000) : r), r % 1000}
      if (what == "p50") printf "%.0f ms", ms(v["p50"])
      if (what == "both") printf "%.1f, %.1f ms", ms(v["p50"]), ms(v["p99"])
    }' <<<"$out")"
}

load() { # column kubeconfig
  local kubeconfig=$2
  memory "$1" idle
  if [ "$1" = "LMDB, durable" ]; then
    # A disk is not the same from one minute to the next: its own loop runs before and behind.
    local before after
    before=$("$bench" disk "$dir")
    k "create, one at a time" "$1" rate create -n 2000 -c 1 -prefix one
    after=$("$bench" disk "$dir")
    note "the disk's write + fdatasync, one at a time" "$1" "$(((before + after) / 2))/s"
    note "create, one at a time, of the disk's loop" "$1" "$(awk -v r="$rate" -v d=$(((before + after) / 2)) 'BEGIN {printf "%.2f", r / d}')"
  else
    k "create, one at a time" "$1" rate create -n 2000 -c 1 -prefix one
  fi
  k "write to event, one watch: p50, p99" "$1" both watch -n 1000 -prefix w
  k "write to event, 100 watches: p50, p99" "$1" both watch -n 300 -watches 100 -prefix w100
  k "create, 64 at a time" "$1" rate create -n 10000 -c 64 -prefix many
  k "get, one at a time" "$1" rate get -n 10000 -c 1 -prefix many
  k "get, 64 at a time" "$1" rate get -n 10000 -c 64 -prefix many
  k "update (merge patch), 64 at a time" "$1" rate update -n 10000 -c 64 -prefix many
  k "list of 13 000 ConfigMaps, most of 1 KB: p50" "$1" p50 list -n 15
  k "create Pods, 64 at a time" "$1" rate create -n 10000 -c 64 -kind pods
  k "list of 10 000 Pods: p50" "$1" p50 list -n 15 -kind pods
  memory "$1" "13 000 ConfigMaps and 10 000 Pods"
  k "replay of 10 000 events" "$1" p50 replay -n 10000 -c 64 -prefix replay
}

table() { # columns...
  local row column
  printf '\n| what |' && printf ' %s |' "$@"
  printf '\n|---|' && printf -- '---|%.0s' "$@" && echo
  for row in "${rows[@]}"; do
    printf '| %s |' "$row"
    for column in "$@"; do printf ' %s |' "${cell[$row|$column]:-}"; done
    echo
  done
}

loads() {
  say "load"
  start "LMDB, durable" --data-dir "$dir/lmdb" && load "LMDB, durable" "$dir/kc.json" && stop
  start memory --memory && load memory "$dir/kc.json" && stop
  table "LMDB, durable" memory
}

# ---- cold ----

cold() {
  local missing
  for missing in hyperfine sqlite3 time; do
    type -P $missing >/dev/null || { say "cold start: install $missing to measure it"; return; }
  done
  local large=${COLD_OBJECTS:-1000000} name=bench-00000042
  say "stores of 100 and $large objects"
  "$bench" fill "$dir/hundred/store" 100
  "$bench" fill "$dir/large/store" "$large"
  sqlite3 "$dir/large.db" "pragma journal_mode = off; pragma synchronous = off;
    create table objects (name text primary key, value text) without rowid;
    with recursive n(i) as (select 0 union all select i + 1 from n where i < $large - 1)
    insert into objects select printf('bench-%08d', i), hex(zeroblob(512)) from n;" >/dev/null
  local commands=(
    "/bin/true"
    "sqlite3 -readonly $dir/large.db \"select value from objects where name = '$name'\""
    "$k1s --data-dir $dir/hundred get cm $name -o json"
    "$k1s --data-dir $dir/large get cm $name -o json"
    "$k1s --data-dir $dir/large get cm $name"
  )
  hyperfine -N --warmup 30 --runs 400 --export-json "$dir/cold.json" "${commands[@]}" >/dev/null 2>&1
  python3 - "$dir" "$large" "${commands[@]}" <<'P'
import json, os, shlex, subprocess, sys
scratch, large, commands = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
print(f"\n| command | store | median | least | resident |\n|---|---|---|---|---|")
for command, result in zip(commands, json.load(open(f"{scratch}/cold.json"))["results"]):
    words = shlex.split(command)
    # measured from a small process: the memory of the one that starts another counts as the other's
    resident = subprocess.run(["time", "-f", "%M", *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True).stderr
    objects = "" if len(words) == 1 else "100 objects" if "hundred" in command else f"{large:,} objects".replace(",", " ")
    shown = " ".join(os.path.basename(w) if w.startswith("/") and w != "/bin/true" else w for w in words if w not in ("--data-dir",))
    shown = shown.replace(" hundred ", " ").replace(" large ", " ").replace(" -readonly large.db", "")
    print(f"| `{shown}` | {objects} | {result['median'] * 1e3:.1f} ms | {result['min'] * 1e3:.1f} ms | {int(resident) / 1024:.1f} MB |")
P
}

# ---- in process ----

service() {
  say "the service in process"
  printf '\n    ' && "$bench" "$dir" | sed '2,$s/^/    /'
}

say "$(nproc) cores, $(uname -sr)"
[ $# -gt 0 ] || set -- build load cold service
cargo build --release --locked --quiet --bin k1s
case " $* " in *" cold "* | *" service "* | *" load "*) cargo build --release --locked --quiet -p k1s-api --example bench_service ;; esac
bench=$CARGO_TARGET_DIR/release/examples/bench_service
(cd bench/kload && go build -o "$dir/kload" .)
if [ -n "${KUBECONFIG_JSON:-}" ]; then
  load server "$KUBECONFIG_JSON"
  table server
  exit
fi
for part in "$@"; do
  case $part in
    build | cold | service) "$part" ;;
    load) loads ;;
    *) say "no such part: $part" && exit 2 ;;
  esac
done
