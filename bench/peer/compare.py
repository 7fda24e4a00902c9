#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The same requests to two servers, and how their answers differ.

    compare.py --peer DIR/kubeconfig.json --kubeconfig kc.json CASES.json...

The first is kube-apiserver (bench/peer/run.sh starts one), the second k1s; both kubeconfigs are JSON. A file of cases is one of
e2e/wire, whose "expect" is not looked at: e2e/wire.py says what a step is, and its marks stand for what differs from run to run. With
"shared": true beside "cases" all of them use one namespace: for dry runs, which leave nothing.

--keep FILE writes the cases that differ, each with what the first server answered as its expectation: what e2e/wire.py checks once
the difference is mended.
"""
import argparse, copy, json, pathlib, re, sys
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "e2e"))
import wire

# what else differs from run to run: generated names, addresses, ports and ages in tables, descriptions of columns
CHANCE = [(re.compile(p), r) for p, r in (
    (r"\b(kube-api-access-|g-|Bad_)[bcdfghjklmnpqrstvwxz2456789]{5}\b", r"\1<random>"),
    (r"\b10\.0\.\d+\.\d+\b", "<ip>"),
    (r"\b3[0-2]\d{3}/(TCP|UDP|SCTP)", r"<port>/\1"),
    (r'"\d+s"', '"<age>"'),
    (r'(record \()\d+\)', r"\1<version>)"),
)]


def even(answer):
    """An answer without what is there by chance."""
    text = json.dumps(answer)
    for pattern, by in CHANCE:
        text = pattern.sub(by, text)
    return json.loads(text, object_hook=lambda o: {k: v for k, v in o.items() if not (k == "description" and "priority" in o)})


def answers(server, case, names):
    """What a server answers to each step; a step that cannot be asked has its error as answer."""
    own = names is None
    names = wire.begin(server) if own else dict(names)
    got = []
    try:
        for step in case["steps"]:
            try:
                got.append(even(wire.perform(server, step, names)))
            except Exception as e:  # the peer may drop a connection too
                got.append({"error": f"{type(e).__name__}: {e}"})
    finally:
        if own:
            wire.end(server, names, case)
        for path in [] if own else case.get("cleanup", []):
            server.ask("DELETE", wire.fill(path, names))
    return got


def compare(servers, case, names):
    first, second = (answers(server, case, n) for server, n in zip(servers, names))
    return first, [(number, wire.differences(a, b), a, b) for number, (a, b) in enumerate(zip(first, second)) if a != b]


def only_words(differing):
    """Whether failures say the same in other words, and nothing else differs."""
    return all("error" not in a and "error" not in b and wire.loose(a) == wire.loose(b) for _, _, a, b in differing)


def words(answer):
    body = answer.get("body")
    if wire.failure(body):
        causes = [(c.get("reason"), c.get("field")) for c in (body.get("details") or {}).get("causes", [])]
        return f"{answer.get('status')} {body.get('reason')}: {body.get('message')}" + (f" {causes}" if len(causes) > 1 else "")
    return None


def report(name, case, differing, most):
    print(f"{'WORDS  ' if only_words(differing) else 'DIFFERS'} {name}: {case['name']}")
    for number, found, a, b in differing:
        do = case["steps"][number]["do"]
        print(f"   step {number + 1} {do['method']} {do['path']}  {json.dumps(do.get('body', do.get('raw', '')))[:300]}")
        if words(a) or words(b):
            print(f"       peer: {words(a) or str(a.get('status')) + ' ' + wire.short(a.get('body'))}")
            print(f"       k1s:  {words(b) or str(b.get('status')) + ' ' + wire.short(b.get('body'))}")
            if words(a) != words(b):
                continue
        for d in found[:most]:
            print("      ", d)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--peer", required=True, help="kubeconfig of kube-apiserver")
    ap.add_argument("--kubeconfig", required=True, help="kubeconfig of k1s")
    ap.add_argument("--case", help="only cases whose name contains this")
    ap.add_argument("--keep", help="file for the cases that differ")
    ap.add_argument("--most", type=int, default=6, help="differences shown of a step")
    ap.add_argument("--jobs", type=int, default=4, help="cases at a time")
    ap.add_argument("files", nargs="+")
    a = ap.parse_args()
    servers = [wire.Server(a.peer), wire.Server(a.kubeconfig)]
    kept, failed = [], 0
    for path in a.files:
        doc = json.load(open(path))
        cases = [c for c in doc["cases"] if not a.case or a.case in c["name"]]
        shared = doc.get("shared", False)
        names = [wire.begin(server) for server in servers] if shared else [None, None]
        differ, spoken = 0, 0
        with ThreadPoolExecutor(a.jobs) as pool:
            for case, (first, differing) in zip(cases, pool.map(lambda c: compare(servers, c, names), cases)):
                if not differing:
                    continue
                differ += not only_words(differing)
                spoken += only_words(differing)
                report(doc["group"], case, differing, a.most)
                case = copy.deepcopy(case)
                for step, answer in zip(case["steps"], first):
                    step["expect"] = answer
                kept.append(case)
        for server, n in zip(servers, names):
            if n:
                wire.end(server, n, {})
        print(f"{doc['group']}: {len(cases)} cases, {differ} differ, {spoken} in words alone")
        failed += differ
    if a.keep:
        json.dump({"about": "cases that differed", "group": "kept", "cases": kept}, open(a.keep, "w"), indent=1, sort_keys=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
