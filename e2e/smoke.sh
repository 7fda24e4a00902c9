#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The commands that every kubectl must be able to run against k1s, whatever its version.
#
#     smoke.sh KUBECTL KUBECONFIG
#
# kubectl before 1.29 wants OpenAPI v2 to validate, and kubectl from 1.32 on sends protobuf where it knows the type; such
# commands are run with --validate=false, or left out, and the list below says so.
set -u
kubectl=$1 kubeconfig=$2
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT
export HOME=$dir # kubectl keeps a cache of what a server serves
minor=$("$kubectl" version --client -o json | sed -n 's/.*"minor": "\([0-9]*\).*/\1/p')
ns=smoke-$minor
passed=0 failed=0
validate=()
[ "$minor" -lt 29 ] && validate=(--validate=false)

k() { "$kubectl" --kubeconfig "$kubeconfig" -n "$ns" "$@"; }

check() { # what expected-regex command...
  local what=$1 expected=$2 out
  shift 2
  if out=$("$@" 2>&1) && grep -qE -- "$expected" <<<"$out"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    printf 'FAILED: %s\n  expected: %s\n  got: %s\n' "$what" "$expected" "$out"
  fi
}

cat >"$dir/map.yaml" <<'Y'
apiVersion: v1
kind: ConfigMap
metadata: {name: map, labels: {app: smoke}}
data: {key: one}
Y
sed 's/one/two/' "$dir/map.yaml" >"$dir/changed.yaml"
cat >"$dir/deployment.yaml" <<'Y'
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: "i:1"}]}
Y

check version 'Server Version' k version
check api-resources '^deployments +deploy +apps/v1 +true +Deployment' k api-resources
check api-versions '^apps/v1$' k api-versions
check "create a namespace" created k create "${validate[@]}" -f - <<<"{\"apiVersion\": \"v1\", \"kind\": \"Namespace\", \"metadata\": {\"name\": \"$ns\"}}"
check "get namespaces" "^$ns +Active" k get ns
check "create" 'configmap/map created' k create "${validate[@]}" -f "$dir/map.yaml"
check "create twice" AlreadyExists bash -c "'$kubectl' --kubeconfig '$kubeconfig' -n $ns create ${validate[*]} -f '$dir/map.yaml' 2>&1 || true"
check "get" '^map +1 +' k get cm
check "get -o yaml" 'key: one' k get cm map -o yaml
check "get -o jsonpath" '^one$' k get cm map -o 'jsonpath={.data.key}{"\n"}'
check "get -l" '^map ' k get cm -l app=smoke
check "apply a new one" 'deployment.apps/web created' k apply "${validate[@]}" -f "$dir/deployment.yaml"
check "apply again" 'deployment.apps/web unchanged' k apply "${validate[@]}" -f "$dir/deployment.yaml"
check "apply a change" 'configmap/map configured' k apply "${validate[@]}" -f "$dir/changed.yaml"
check "the change" '^two$' k get cm map -o 'jsonpath={.data.key}{"\n"}'
check "patch, merge" patched k patch cm map --type=merge -p '{"data":{"more":"x"}}'
check "patch, JSON" patched k patch cm map --type=json -p '[{"op":"remove","path":"/data/more"}]'
check "patch, strategic" patched k patch deployment web -p '{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"i:2"}]}}}}'
check "label" labeled k label cm map colour=red
check "annotate" 'annotated?$' k annotate cm map note=x
check "scale" scaled k scale deployment web --replicas=3
check "columns" '^web +0/3' k get deployment web
[ "$minor" -ge 23 ] && check "wait" 'condition met' k wait --for=jsonpath='{.spec.replicas}'=3 deployment/web --timeout=10s
check "describe" 'Name: +map' k describe cm map
if [ "$minor" -ge 29 ]; then
  check "explain" 'replicas' k explain deployment.spec
  check "diff" '^\+ +key: one' bash -c "'$kubectl' --kubeconfig '$kubeconfig' -n $ns diff -f '$dir/map.yaml' || true"
  check "server dry run" 'configured \(server dry run\)' k apply --dry-run=server -f "$dir/map.yaml"
fi
if [ "$minor" -lt 32 ]; then
  check "create a generated object" 'deployment.apps/made created' k create deployment made --image=i
fi
check "watch" '^map ' bash -c "timeout 2 '$kubectl' --kubeconfig '$kubeconfig' -n $ns get cm map -w; true"
check "delete" 'deleted' k delete -f "$dir/map.yaml"
check "delete all" 'deleted' k delete deployment --all
check "delete a namespace" 'deleted' k delete ns "$ns"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
