#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Replays recorded Kubernetes API exchanges against a server and compares the answers.

    wire.py check  --kubeconfig kc.json GROUP.json...     replay, compare, report
    wire.py record --kubeconfig kc.json GROUP.json...     replay, store the answers as the expectation (in place)

The kubeconfig is JSON (kubectl config view --raw --minify -o json). Python's standard library is all it needs.

A file holds cases; a case gets a fresh namespace ${ns} and a random ${id}; a step is one request.
A step: {"do": {"method", "path", "headers"?, "body"? (JSON) | "raw"? (text), "as"? (token | "" for nobody)},
         "save"? {"var": "dotted.path"}, "settle"? seconds, "watch"? true, "keep"? ["managedFields"],
         "pick"? ["dotted.path" ...], "see"? [header ...], "expect": {"status", "type"?, "warnings"?, "headers"?, "body"?}}
A path is a.b.0.c or, for names with dots, /a/b/0/c (~1 is a slash); in a list key=value finds an entry, * takes all. "header:NAME" saves a header.
Uids, times, resource versions, continue tokens, generated names and addresses are replaced by marks before comparing.
managedFields are left out unless kept. With "pick" only those paths are compared (none: no body). With "settle" the recording waited
that long before asking (with "until": {path: value} until the answer has these values); a check polls up to five times as long
until the answer matches.
A Status of failure is compared twice: loosely (code, reason, details, causes by reason and field) and strictly (words too).
"""
import argparse, base64, copy, http.client, json, os, random, re, ssl, string, sys, tempfile, time
from urllib.parse import urlsplit

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
HASH = re.compile(r"\bhash=[0-9A-Fa-f]{16,}")
CLUSTER_IP = re.compile(r"^10\.\d+\.\d+\.\d+$")


class Server:
    def __init__(self, path):
        k = json.load(open(path))
        c, u = k["clusters"][0]["cluster"], k["users"][0]["user"]
        url = urlsplit(c["server"])
        self.host, self.port, self.token = url.hostname, url.port, u.get("token")
        self.tls = url.scheme == "https"
        self.anonymous_ctx, self.ctx = self._context(c, {}), self._context(c, u)

    def _context(self, c, u):
        ctx = ssl.create_default_context()
        if c.get("insecure-skip-tls-verify"):
            ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
        elif "certificate-authority-data" in c:
            ctx.load_verify_locations(cadata=base64.b64decode(c["certificate-authority-data"]).decode())
        elif "certificate-authority" in c:
            ctx.load_verify_locations(c["certificate-authority"])
        files = []
        for name in ("client-certificate", "client-key"):
            if name in u:
                files.append(u[name])
            elif name + "-data" in u:
                f = tempfile.NamedTemporaryFile(delete=False)
                f.write(base64.b64decode(u[name + "-data"]))
                f.close()
                files.append(f.name)
        if len(files) == 2:
            ctx.load_cert_chain(*files)
        return ctx

    def ask(self, method, path, headers=None, body=None, who=None, timeout=60):
        ctx = self.ctx if who is None else self.anonymous_ctx
        kind = http.client.HTTPSConnection if self.tls else http.client.HTTPConnection
        extra = {"context": ctx} if self.tls else {}
        conn = kind(self.host, self.port, timeout=timeout, **extra)
        h = {"Accept": "application/json", **(headers or {})}
        token = self.token if who is None else who
        if token:
            h["Authorization"] = "Bearer " + token
        try:
            conn.request(method, path, body, h)
            r = conn.getresponse()
            return r.status, r.headers, r.read()
        finally:
            conn.close()


def dig(value, path):
    parts = path if isinstance(path, list) else [p.replace("~1", "/") for p in path[1:].split("/")] if path.startswith("/") else path.split(".")
    for number, part in enumerate(parts):
        if isinstance(value, list) and part == "*":
            rest = parts[number + 1:]
            return [dig(v, rest) if rest else v for v in value]
        if isinstance(value, list) and "=" in part:
            key, want = part.split("=", 1)
            value = next((v for v in value if str(dig(v, key) if key else v) == want), None)
        elif isinstance(value, list) and part.isdigit():
            value = value[int(part)] if int(part) < len(value) else None
        else:
            value = value.get(part) if isinstance(value, dict) else None
    return value


def fill(value, names):
    if isinstance(value, str):
        return re.sub(r"\$\{(\w+)\}", lambda m: str(names.get(m[1], m[0])), value)
    if isinstance(value, list):
        return [fill(v, names) for v in value]
    if isinstance(value, dict):
        return {fill(k, names): fill(v, names) for k, v in value.items()}
    return value


def mark(value, keep, key=""):
    """Replaces what differs from run to run."""
    if isinstance(value, dict):
        out = {}
        prefix = value.get("generateName")
        for k, v in value.items():
            if k == "managedFields" and k not in keep:
                continue
            if k in ("resourceVersion", "continue") and isinstance(v, str) and v:
                v = "<" + k + ">"
            elif k == "ca.crt":
                v = "<ca>"
            elif k == "nodePort" and isinstance(v, int) and v >= 30000:
                v = "<nodePort>"
            elif k == "name" and prefix and isinstance(v, str) and v.startswith(prefix):
                v = prefix + "<random>"
            out[k] = mark(v, keep, k)
        return out
    if isinstance(value, list):
        return [mark(v, keep, key) for v in value]
    if isinstance(value, str):
        if key in ("clusterIP", "clusterIPs") and CLUSTER_IP.match(value):
            return "<ip>"
        return HASH.sub("hash=<hash>", TIME.sub("<time>", UUID.sub("<uid>", value)))
    return value


def perform(server, step, names):
    do = fill(step["do"], names)
    headers = dict(do.get("headers", {}))
    body = do.get("raw")
    if "body" in do:
        body = json.dumps(do["body"])
    if body is not None:
        headers.setdefault("Content-Type", "application/json")
        body = body.encode()
    status, answer_headers, data = server.ask(do["method"], do["path"], headers, body, do.get("as"))
    text = data.decode("utf-8", "replace")
    got = {"status": status, "type": (answer_headers.get("Content-Type") or "").replace(" ", "")}
    warnings = answer_headers.get_all("Warning")
    if warnings:
        got["warnings"] = mark(warnings, [])
    if "see" in step:
        got["headers"] = {h: "<etag>" if h == "ETag" and answer_headers.get(h) else mark(answer_headers.get(h), []) for h in step["see"]}
    parsed = None
    if step.get("watch") and status == 200:
        parsed = [json.loads(line) for line in text.splitlines() if line.strip()]
        got["body"] = parsed
    elif text and ("json" in got["type"] or "pick" in step and text.startswith("{")):
        parsed = json.loads(text)
        got["body"] = parsed
    else:
        got["body"] = text
    for name, path in step.get("save", {}).items():
        value = answer_headers.get(path[7:]) if path.startswith("header:") else dig(parsed, path)
        if value is None:
            raise KeyError(f"the answer has no {path} to save: {status} {text[:300]}")
        names[name] = value
    back = {v: "${%s}" % k for k, v in names.items() if k in ("ns", "id")}
    raw = json.dumps(got)
    for v, k in sorted(back.items(), key=lambda i: -len(i[0])):
        raw = raw.replace(v, k)
    got = json.loads(raw)
    if "pick" in step:
        got["body"] = {p: dig(got["body"], p) for p in step["pick"]}
    got["body"] = mark(got["body"], step.get("keep", []))
    return got


def failure(body):
    return isinstance(body, dict) and body.get("kind") == "Status" and body.get("status") == "Failure"


def loose(got):
    """A failure without its words; anything else as it is."""
    body = got.get("body")
    if not failure(body):
        return {k: v for k, v in got.items() if k != "warnings"} | {"warned": bool(got.get("warnings"))}
    details = dict(body.get("details") or {})
    causes = sorted({(c.get("reason", ""), c.get("field", "")) for c in details.pop("causes", [])})
    details.pop("retryAfterSeconds", None)
    details.pop("uid", None)
    return {"status": got["status"], "reason": body.get("reason"), "code": body.get("code"), "details": details, "causes": causes}


def differences(want, got, path=""):
    if type(want) is not type(got):
        return [f"{path or '.'}: expected {short(want)}, got {short(got)}"]
    if isinstance(want, dict):
        out = []
        for k in sorted(set(want) | set(got)):
            if k not in got:
                out.append(f"{path}.{k}: missing, expected {short(want[k])}")
            elif k not in want:
                out.append(f"{path}.{k}: not expected: {short(got[k])}")
            else:
                out += differences(want[k], got[k], f"{path}.{k}")
        return out
    if isinstance(want, list):
        if len(want) != len(got):
            return [f"{path}: expected {len(want)} items, got {len(got)}: {short(got)}"]
        return [d for i, (a, b) in enumerate(zip(want, got)) for d in differences(a, b, f"{path}[{i}]")]
    return [] if want == got else [f"{path or '.'}: expected {short(want)}, got {short(got)}"]


def short(v):
    s = json.dumps(v)
    return s if len(s) < 160 else s[:157] + "..."


def begin(server):
    ident = "".join(random.choices(string.ascii_lowercase, k=7))
    names = {"id": ident, "ns": "w-" + ident}
    status, _, data = server.ask("POST", "/api/v1/namespaces", {"Content-Type": "application/json"},
                                 json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": names["ns"]}}).encode())
    if status != 201:
        raise SystemExit(f"cannot create a namespace: {status} {data[:300]!r}")
    # every namespace of a whole cluster has these two; there a controller makes them a moment later
    deadline = time.time() + 5
    for path in ("serviceaccounts/default", "configmaps/kube-root-ca.crt"):
        while server.ask("GET", f"/api/v1/namespaces/{names['ns']}/{path}")[0] != 200:
            if time.time() > deadline:
                raise SystemExit(f"a new namespace has no {path}")
            time.sleep(0.02)
    return names


def end(server, names, case):
    for path in case.get("cleanup", []):
        server.ask("DELETE", fill(path, names))
    server.ask("DELETE", f"/api/v1/namespaces/{names['ns']}")


def reached(step):
    body = step["expect"]["body"]
    return all((body[p] if isinstance(body, dict) and p in body else dig(body, p)) == v for p, v in step.get("until", {}).items())


def run_case(server, case, record):
    names, result, notes = begin(server), "strict", []
    try:
        for number, step in enumerate(case["steps"], 1):
            settle = step.get("settle", 0)
            if record:
                time.sleep(settle)
                step["expect"] = perform(server, step, names)
                deadline = time.time() + 300
                while not reached(step) and time.time() < deadline:
                    time.sleep(0.5)
                    step["expect"] = perform(server, step, names)
                continue
            deadline = time.time() + PATIENCE * settle
            while True:
                got = perform(server, step, names)
                if loose(step["expect"]) == loose(got) or time.time() >= deadline:
                    break
                time.sleep(0.05)
            what = f"step {number} {step['do']['method']} {step['do']['path']}"
            if loose(step["expect"]) != loose(got):
                notes.append((what, differences(step["expect"], got)))
                return "fail", notes
            if step["expect"] != got:
                result = "loose"
                notes.append((what, differences(step["expect"], got)))
    except Exception as e:  # a dropped connection or an answer that cannot be read is a failed case, not a crash
        if record:
            raise
        notes.append((f"step {number}", [f"{type(e).__name__}: {e}"]))
        return "fail", notes
    finally:
        end(server, names, case)
    return result, notes


PATIENCE = 5


def main():
    global PATIENCE
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("mode", choices=["check", "record"])
    ap.add_argument("files", nargs="+")
    ap.add_argument("--kubeconfig", required=True)
    ap.add_argument("--case", help="only cases whose name contains this")
    ap.add_argument("-v", "--verbose", action="store_true", help="show how each case differs (all differences)")
    ap.add_argument("-q", "--quiet", action="store_true", help="totals only")
    ap.add_argument("--patience", type=float, default=PATIENCE, help="how many times a step's settle a check waits for the answer")
    a = ap.parse_args()
    PATIENCE = a.patience
    server = Server(a.kubeconfig)
    total = {"strict": 0, "loose": 0, "fail": 0}
    for path in a.files:
        doc = json.load(open(path))
        count = {"strict": 0, "loose": 0, "fail": 0}
        for case in doc["cases"]:
            if a.case and a.case not in case["name"]:
                continue
            result, notes = run_case(server, case, a.mode == "record")
            count[result] += 1
            if not a.quiet and (result == "fail" or (a.verbose and notes)):
                print(f"{result.upper():6} {doc['group']}: {case['name']}")
                for what, diffs in notes:
                    print("   ", what)
                    for d in diffs[: None if a.verbose else 4]:
                        print("       ", d)
        if a.mode == "record":
            json.dump(doc, open(path, "w"), indent=1, sort_keys=True)
            print(f"{doc['group']}: {len(doc['cases'])} cases recorded")
        else:
            print(f"{doc['group']}: {count['strict']} same, {count['loose']} same but for words, {count['fail']} differ")
        for k in total:
            total[k] += count[k]
    if a.mode == "check":
        passed = total["strict"] + total["loose"]
        print(f"{passed} passed, {total['fail']} failed")
        sys.exit(1 if total["fail"] else 0)


if __name__ == "__main__":
    main()
