#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# kube-apiserver and etcd on this machine, to be measured and compared with: the peer of k1s.
#
#     bench/peer/run.sh start DIR      builds them when they are not built yet (ten minutes), starts them, and ends when
#                                      they are ready; writes DIR/kubeconfig.json, an administrator's
#     bench/peer/run.sh stop DIR       stops them and removes DIR
#     bench/peer/run.sh memory DIR     resident memory of etcd and kube-apiserver
#
# The same load as on k1s: KUBECONFIG_JSON=DIR/kubeconfig.json bench/run.sh load
#
# Only the controllers that a bare API server needs run with it: namespaces, garbage collection, service accounts, root
# certificates, aggregated roles. Everything listens on loopback. Needs Go, openssl, curl and Python 3.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=${PEER_BIN:-$HOME/.cache/k1s/peer}
[ $# -eq 2 ] || { sed -n '3,13s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
what=$1 dir=$2

pid() { cat "$dir/$1.pid" 2>/dev/null; }
alive() { [ -n "$(pid "$1")" ] && kill -0 "$(pid "$1")" 2>/dev/null; }

stop() {
  local name
  for name in controllers apiserver etcd; do
    alive $name || continue
    kill "$(pid $name)"
    while alive $name; do sleep 0.1; done
  done
  rm -rf "$dir"
}

case $what in
  stop) stop; exit ;;
  memory)
    for name in etcd apiserver; do
      awk -v what=$name '/^VmRSS/ {printf "%s: %.1f MB\n", what, $2 / 1024}' "/proc/$(pid $name)/status"
    done
    exit
    ;;
  start) ;;
  *) echo "start, stop or memory, not $what" >&2; exit 2 ;;
esac

build() { # binary package
  [ -x "$bin/$1" ] && return
  local version=k8s.io/component-base/version
  mkdir -p "$bin"
  (cd "$here" && go build -trimpath -o "$bin/$1" -ldflags \
    "-s -w -X $version.gitVersion=v1.35.4 -X $version.gitMajor=1 -X $version.gitMinor=35 -X $version.gitTreeState=clean" "$2")
}
build etcd go.etcd.io/etcd/server/v3
build kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver
build kube-controller-manager k8s.io/kubernetes/cmd/kube-controller-manager

umask 077
mkdir -p "$dir/pki"
dir=$(cd "$dir" && pwd)
cd "$dir/pki"
ports=$(python3 -c 'import socket
all = [socket.socket() for _ in range(3)]
for s in all: s.bind(("127.0.0.1", 0))
print(*(s.getsockname()[1] for s in all))')
read -r etcd_clients etcd_peers api <<<"$ports"

key() { openssl ecparam -genkey -name prime256v1 -noout -out "$1.key" 2>/dev/null; }
certificate() { # name subject extensions
  key "$1"
  openssl req -new -key "$1.key" -subj "$2" -out "$1.csr" 2>/dev/null
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -out "$1.crt" \
    -extfile <(printf '%s\n' "$3") 2>/dev/null
}
key ca
openssl req -x509 -new -key ca.key -subj /CN=peer -days 30 -out ca.crt 2>/dev/null
certificate server /CN=kube-apiserver 'subjectAltName=IP:127.0.0.1,DNS:localhost
extendedKeyUsage=serverAuth'
certificate admin /O=system:masters/CN=kubernetes-admin extendedKeyUsage=clientAuth
certificate controllers /CN=system:kube-controller-manager extendedKeyUsage=clientAuth
openssl genrsa -out sa.key 2048 2>/dev/null

kubeconfig() { # user
  python3 - "$1" "$api" <<'P'
import base64, json, sys
user, port = sys.argv[1:]
data = lambda path: base64.b64encode(open(path, "rb").read()).decode()
json.dump({
    "apiVersion": "v1", "kind": "Config", "current-context": "peer",
    "clusters": [{"name": "peer", "cluster": {"server": f"https://127.0.0.1:{port}", "certificate-authority-data": data("ca.crt")}}],
    "users": [{"name": user, "user": {"client-certificate-data": data(user + ".crt"), "client-key-data": data(user + ".key")}}],
    "contexts": [{"name": "peer", "context": {"cluster": "peer", "user": user}}],
}, sys.stdout, indent=1)
P
}
kubeconfig admin >"$dir/kubeconfig.json"
kubeconfig controllers >controllers.json

launch() { # name binary flags...
  local name=$1 binary=$2
  shift 2
  "$bin/$binary" "$@" </dev/null >"$dir/$name.log" 2>&1 &
  echo $! >"$dir/$name.pid"
}
wait_for() { # what seconds command...
  local what=$1 tries=$(($2 * 20))
  shift 2
  for _ in $(seq "$tries"); do "$@" && return; sleep 0.05; done
  echo "$what is not ready:" >&2
  tail -n 20 "$dir"/*.log >&2
  stop
  exit 1
}
ask() { curl -s --cacert ca.crt --cert admin.crt --key admin.key "https://127.0.0.1:$api$1"; }
ready() { [ "$(ask /readyz)" = ok ]; }
filled() { ask /api/v1/namespaces/default/serviceaccounts/default | grep -q '"uid"'; }

begun=$(date +%s%N)
launch etcd etcd --data-dir "$dir/etcd" --listen-client-urls "http://127.0.0.1:$etcd_clients" \
  --advertise-client-urls "http://127.0.0.1:$etcd_clients" --listen-peer-urls "http://127.0.0.1:$etcd_peers" \
  --initial-advertise-peer-urls "http://127.0.0.1:$etcd_peers" --initial-cluster "default=http://127.0.0.1:$etcd_peers"
launch apiserver kube-apiserver --etcd-servers "http://127.0.0.1:$etcd_clients" --bind-address 127.0.0.1 --secure-port "$api" \
  --advertise-address 192.0.2.1 --kubelet-preferred-address-types InternalIP,ExternalIP,Hostname --endpoint-reconciler-type lease --tls-cert-file server.crt --tls-private-key-file server.key \
  --client-ca-file ca.crt --kubelet-client-certificate admin.crt --kubelet-client-key admin.key --authorization-mode Node,RBAC --service-account-issuer https://kubernetes.default.svc \
  --service-account-key-file sa.key --service-account-signing-key-file sa.key --service-cluster-ip-range 10.0.0.0/16
wait_for kube-apiserver 60 ready
awk -v ns=$(($(date +%s%N) - begun)) 'BEGIN {printf "ready after %.1f s\n", ns / 1e9}'
launch controllers kube-controller-manager --kubeconfig controllers.json --secure-port 0 --leader-elect=false \
  --use-service-account-credentials --root-ca-file ca.crt --service-account-private-key-file sa.key \
  --controllers namespace-controller,garbage-collector-controller,serviceaccount-controller,serviceaccount-token-controller,root-ca-certificate-publisher-controller,clusterrole-aggregation-controller
wait_for kube-controller-manager 60 filled
