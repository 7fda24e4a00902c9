#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sends what no well-behaved client sends, and asserts that each gets a clear answer and harms nobody else.

    bad_input.py KUBECONFIG.json [PID]

With the server's process id its memory is looked at, too. Python's standard library is all it needs.
"""
import json, os, socket, sys, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import wire

MAPS = "/api/v1/namespaces/default/configmaps"
JSON = {"Content-Type": "application/json"}
YAML = {"Content-Type": "application/yaml"}
MERGE = {"Content-Type": "application/merge-patch+json"}


def config_map(**more):
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bad"}, **more}).encode()


def named(name, **metadata):
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}}).encode()


def bomb():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    return "\n".join(["apiVersion: v1", "kind: ConfigMap", "metadata: {name: bad}", *lines]).encode()


# what, method, path, headers, body, the statuses that are right
CASES = [
    ("malformed JSON", "POST", MAPS, JSON, b'{"apiVersion": "v1", "kind"', [400]),
    ("malformed YAML", "POST", MAPS, YAML, b"a: [\nb: }", [400]),
    ("empty body", "POST", MAPS, JSON, b"", [400]),
    ("a list", "POST", MAPS, JSON, b"[]", [400]),
    ("a number", "POST", MAPS, JSON, b"7", [400]),
    ("not UTF-8", "POST", MAPS, JSON, b'{"kind":"\xff\xfe"}', [400]),
    ("YAML bomb", "POST", MAPS, YAML, bomb(), [400, 413]),
    ("10 MB", "POST", MAPS, JSON, config_map(data={"k": "x" * 10_000_000}), [413]),
    ("2 MB stored", "POST", MAPS, JSON, config_map(data={"k": "x" * 2_000_000}), [413, 422]),
    ("depth 10 000", "POST", MAPS, JSON, b'{"a":' * 10_000 + b"1" + b"}" * 10_000, [400]),
    ("depth 10 000, lists", "POST", MAPS, JSON, b"[" * 10_000 + b"]" * 10_000, [400]),
    ("depth 10 000, YAML", "POST", MAPS, YAML, b"[" * 10_000 + b"]" * 10_000, [400]),
    ("depth 10 000, patch", "PATCH", MAPS + "/kube-root-ca.crt", MERGE, b'{"a":' * 10_000 + b"1" + b"}" * 10_000, [400]),
    ("wrong type", "POST", MAPS, JSON, config_map(data=7), [400]),
    ("wrong type inside", "POST", MAPS, JSON, config_map(data={"k": {"n": 1}}), [400]),
    ("unknown field, strict", "POST", MAPS + "?fieldValidation=Strict", JSON, config_map(nonsense=1), [400]),
    ("duplicate field, strict", "POST", MAPS + "?fieldValidation=Strict", JSON,
     b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"bad"},"data":{"a":"1"},"data":{"a":"2"}}', [400]),
    ("wrong kind", "POST", MAPS, JSON, b'{"apiVersion":"v1","kind":"Secret","metadata":{"name":"bad"}}', [400]),
    ("unknown kind", "POST", MAPS, JSON, b'{"apiVersion":"v1","kind":"Nonsense","metadata":{"name":"bad"}}', [400]),
    ("invalid name", "POST", MAPS, JSON, named("Not_A_Name"), [422]),
    ("long name", "POST", MAPS, JSON, named("a" * 300), [422]),
    ("name with slash", "POST", MAPS, JSON, named("../secrets/x"), [422]),
    ("name with NUL", "POST", MAPS, JSON, named("a\0b"), [422]),
    ("invalid label", "POST", MAPS, JSON, named("bad", labels={"a b": "c"}), [422]),
    ("other namespace", "POST", MAPS, JSON, named("bad", namespace="kube-system"), [400]),
    ("stale version", "PUT", MAPS + "/kube-root-ca.crt", JSON,
     b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"kube-root-ca.crt","resourceVersion":"1"}}', [409]),
    ("wrong content type", "POST", MAPS, {"Content-Type": "text/plain"}, config_map(), [415]),
    ("wrong patch type", "PATCH", MAPS + "/kube-root-ca.crt", {"Content-Type": "application/nonsense"}, b"{}", [415]),
    ("wrong Accept", "GET", MAPS, {"Accept": "image/png"}, None, [406]),
    ("bad selector", "GET", MAPS + "?labelSelector=a%20b%20c", {}, None, [400]),
    ("bad field selector", "GET", MAPS + "?fieldSelector=nonsense%3Dx", {}, None, [400]),
    ("bad continue", "GET", MAPS + "?continue=%21%21%21", {}, None, [400]),
    ("bad limit", "GET", MAPS + "?limit=x", {}, None, [400]),
    ("bad version", "GET", MAPS + "?resourceVersion=x", {}, None, [400]),
    ("path: ..", "GET", "/api/v1/namespaces/default/configmaps/../../../../api", {}, None, [301, 400, 404]),
    ("path: %2e%2e", "GET", MAPS + "/%2e%2e/%2e%2e/kube-system/configmaps", {}, None, [301, 400, 404]),
    ("path: %2f", "GET", MAPS + "/a%2fb", {}, None, [400, 404]),
    ("path: %2f in the namespace", "GET", "/api/v1/namespaces/default%2fconfigmaps/secrets", {}, None, [200, 400, 404]),
    ("path: %00", "GET", MAPS + "/a%00b", {}, None, [400, 404]),
    ("path: %ff", "GET", MAPS + "/a%ff", {}, None, [400, 404]),
    ("path: %", "GET", MAPS + "/%zz", {}, None, [400, 404]),
    ("path: //", "GET", "//api//v1//namespaces", {}, None, [200, 301, 400, 404]),
    ("long path", "GET", MAPS + "/" + "a" * 60_000, {}, None, [400, 404, 414, 431]),
    ("longer path", "GET", MAPS + "/" + "a" * 100_000, {}, None, [400, 414, 431]),
    ("long header", "GET", MAPS, {"X-Long": "a" * 200_000}, None, [431]),
    ("wrong method", "POST", "/version", JSON, b"{}", [405]),
    ("unknown method", "BREW", MAPS, {}, None, [405]),
]

# what, bytes sent before the connection is closed on our side, whether an answer must come
RAW = [
    ("nothing", b"", False),
    ("half a request line", b"GET /api", False),
    ("half a head", b"GET /api HTTP/1.1\r\nHost: x\r\nAcc", False),
    ("half a body", b"POST " + MAPS.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"a\":", False),
    ("not HTTP", b"\x16\x03\x01 what is this\r\n\r\n", True),
    ("bad length", b"POST " + MAPS.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", True),
    ("two lengths", b"POST " + MAPS.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", True),
    ("bad chunks", b"POST " + MAPS.encode() + b" HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", False),
    ("1000 headers", b"GET /api HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(1000)) + b"\r\n", True),
]


def resident(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) // 1024 for line in f if line.startswith("VmRSS"))


def main():
    server = wire.Server(sys.argv[1])
    pid = int(sys.argv[2]) if len(sys.argv) > 2 else None
    passed = failed = 0

    def judge(what, ok, got):
        nonlocal passed, failed
        healthy = server.ask("GET", "/readyz", timeout=5)[0] == 200
        if ok and healthy:
            passed += 1
        else:
            failed += 1
            print(f"FAILED {what}: {got}" + ("" if healthy else "; and now the server does not answer"))

    for what, method, path, headers, body, expected in CASES:
        begun = time.time()
        try:
            status, answer_headers, data = server.ask(method, path, headers, body, timeout=15)
            got = f"{status} {data[:300]!r}"
            ok = status in expected
            # what the API refuses, it explains; what HTTP itself refuses has no room for it
            if ok and status in (400, 409, 413, 415, 422) and "json" in (answer_headers.get("Content-Type") or ""):
                ok = bool(json.loads(data).get("message")) or status == 422
        except (OSError, ValueError) as e:
            # a server may stop reading what is too long; then the client finds the connection closed
            ok, got = 413 in expected or 431 in expected, f"{type(e).__name__}: {e}"
        took = time.time() - begun
        judge(what, ok and took < 5, f"{got} after {took:.1f} s; expected {expected}")

    for what, data, answered in RAW:
        try:
            with socket.create_connection((server.host, server.port), 10) as tcp, \
                    server.ctx.wrap_socket(tcp, server_hostname=server.host) as tls:
                tls.sendall(data)
                if answered:
                    tls.settimeout(10)
                    got = tls.recv(4096)
                    judge(what, got.startswith(b"HTTP/1.1 4") or got == b"", got[:200])
                    continue
            judge(what, True, "")
        except OSError as e:
            judge(what, answered, f"{type(e).__name__}: {e}")

    if server.ask("GET", MAPS + "/bad")[0] != 404:
        failed += 1
        print("FAILED: something of all this was stored")
    if pid:
        limit = 200
        judge(f"memory stays under {limit} MB", resident(pid) < limit, f"{resident(pid)} MB")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
