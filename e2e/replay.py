#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Replays recorded cases and asserts which of them pass.

    replay.py wire --kubeconfig kc.json            --known known/wire.txt wire/*.json
    replay.py cli  --command "kubectl --kubeconfig kc.yaml" --known known/kubectl.txt cli/*.json

A file of known differences has a line for each case that is known to differ, with the reason: "group: name -- reason".
Such a case is run, too: if it passes although it is listed the run fails, as it does for one that differs and is not
listed. "group: name -? reason" names a case whose outcome depends on the client's version or on time: either is
accepted. "group: * -- reason" names all cases of a group, of which some may pass.
The last line is "N passed, N failed"; a known difference that still differs counts as passed: it was asserted.
"""
import argparse, json, os, shlex, sys
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cli, wire


def read_known(paths):
    known = {}
    for path in paths:
        for number, line in enumerate(open(path), 1):
            line = line.rstrip("\n")
            if not line or line.startswith("#"):
                continue
            mark = " -? " if " -? " in line else " -- "
            case, sep, reason = line.partition(mark)
            if not sep or not reason.strip():
                raise SystemExit(f"{path}:{number}: a known difference needs a reason: group: name -- reason")
            known[case] = (mark == " -? ", reason)
    return known


def runner(a):
    """A function that runs one case and returns whether it passed, and notes on how it differs."""
    if a.kind == "wire":
        server = wire.Server(a.kubeconfig)

        def run(case):
            result, notes = wire.run_case(server, case, False)
            return result != "fail", notes
    else:
        command = [os.path.abspath(w) if os.sep in w and os.path.exists(w) else w for w in shlex.split(a.command)]
        setup = [os.path.abspath(w) if os.sep in w and os.path.exists(w) else w for w in shlex.split(a.setup)] if a.setup else command

        def run(case):
            result, notes = cli.run_case(case, command, setup, False)
            return result != "differ", notes
    return run


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("kind", choices=["wire", "cli"])
    ap.add_argument("files", nargs="+")
    ap.add_argument("--kubeconfig", help="wire: the kubeconfig in JSON")
    ap.add_argument("--command", help="cli: the program and the flags that say which cluster")
    ap.add_argument("--setup", help="cli: the command that makes namespaces (default: --command)")
    ap.add_argument("--known", action="append", default=[], help="a file of known differences; may be given again")
    ap.add_argument("--write-known", metavar="REASON", help="print the list that the outcome would need, and assert nothing")
    ap.add_argument("--lines", type=int, default=6, help="lines shown of each difference")
    ap.add_argument("-j", "--jobs", type=int, default=1, help="cases at a time")
    a = ap.parse_args()
    known, run, unused = read_known(a.known), runner(a), set()
    unused.update(known)
    passed = failed = 0
    for path in a.files:
        doc = json.load(open(path))
        group, same, listed = doc["group"], 0, 0
        with ThreadPoolExecutor(a.jobs) as pool:
            outcomes = list(pool.map(run, doc["cases"]))
        for case, (ok, notes) in zip(doc["cases"], outcomes):
            name = f"{group}: {case['name']}"
            if a.write_known:
                if not ok:
                    print(f"{name} -- {a.write_known}")
                continue
            entry = name if name in known else f"{group}: *" if f"{group}: *" in known else None
            unused.discard(entry)
            either = entry is not None and known[entry][0]
            if ok and (entry is None or either):
                same += 1
                passed += 1
            elif not ok and entry is not None:
                listed += 1
                passed += 1
            elif ok and entry.endswith(": *"):
                same += 1
                passed += 1
            elif ok:
                failed += 1
                print(f"PASSES NOW  {name}: take it off the list")
            else:
                failed += 1
                print(f"DIFFERS  {name}")
                for what, differences in notes:
                    print("   ", what)
                    for line in differences[: a.lines]:
                        print("       ", line)
        if not a.write_known:
            print(f"{group}: {same} same, {listed} differ as known, of {len(doc['cases'])}", flush=True)
    if a.write_known:
        return
    for case in sorted(unused):
        if case.split(":")[0] in {json.load(open(p))["group"] for p in a.files}:
            failed += 1
            print(f"NO SUCH CASE  {case}")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
