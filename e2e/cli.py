#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Replays recorded kubectl command lines with another program in kubectl's place and compares what is printed.

    cli.py check  --command "kubectl --kubeconfig kc.yaml" GROUP.json...   run, compare, report
    cli.py record --command "kubectl --kubeconfig kc.yaml" GROUP.json...   run, store what is printed as the expectation (in place)

Python's standard library is all it needs; some cases run sed (as EDITOR) or diff. --setup is the command that makes and removes
namespaces and cleans up; it is --command unless given (give kubectl here to judge a program that cannot do that yet).

A file holds cases. A case gets a fresh namespace ${ns}, a random ${id}, an empty HOME, and a scratch directory ${dir}, the current one, with the
case's "files" {"name": "text" | {"base64": ...}}. A step is one command line: COMMAND -n ${ns} ARGS.
A step: {"args": [...], "stdin"? "text" (${stdout}: what the step before printed), "files"? written before it, "env"? {"NAME": "value"},
         "bare"? true: without -n ${ns}, "alone"? true: the program's name and ARGS, no more, "settle"? seconds, "for"? seconds: stopped after so long,
         "background"? seconds: started, given so long to get going, left running beside the next steps, stopped "for" (1) seconds after the last,
         "lines"? "regex": only such lines of stdout are compared, "sort"? true: lines of stdout in any order,
         "any"? true: of stdout only whether there was something, "expect": {"exit", "stdout", "stderr"}}
"exit" is the code, or "stopped" for what still ran when it was stopped. "cleanup" [[args]...] runs after the case, whatever came of it.
With "settle" the recording waited that long first; a check repeats the step up to five times as long until it is right.
Ages, times, uids, resource versions, tokens, certificates, generated names, addresses, temporary files, the program's own name and the width
of columns (runs of two or more spaces inside a line, spaces at its end) are made equal before comparing; log lines on stderr are left out.
A case is "same"; or "same but for words" where exit code and stdout are equal and stderr says something else (something, where something
was expected, nothing where nothing was); or it differs.
"""
import argparse, base64, difflib, json, os, pathlib, random, re, shlex, shutil, string, subprocess, sys, tempfile, time
from concurrent.futures import ThreadPoolExecutor

AGE = r"(?:\d+s|\d+m\d+s|\d+h(?:\d+m)?|\d+d(?:\d+h)?|\d+y(?:\d+d)?)"  # minutes alone would be thousandths of a cpu
RULES = [(re.compile(p.replace("@AGE", AGE), f), r) for p, f, r in (
    (r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----(\\n|\s*$)?", re.S | re.M, r"<certificate>\1"),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", 0, "<uid>"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| [+-]\d{4})", 0, "<time>"),
    (r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}", 0, "<time>"),
    (r"(resourceVersion\W{1,4}|Resource Version: +)\d+", 0, r"\1<version>"),
    (r"(resource version to be \d+, was )\d+", 0, r"\1<version>"),
    (r"\beyJ[\w-]+\.[\w-]+\.[\w-]+", 0, "<token>"),
    (r"\b(gen-|kube-api-access-)[bcdfghjklmnpqrstvwxz2456789]{5}\b", 0, r"\1<random>"),
    (r"\b10\.\d+\.\d+\.\d+\b", 0, "<ip>"),
    (r"(nodePort\W{1,3})3\d{4}\b", 0, r"\1<port>"),
    (r"\b3[0-2]\d{3}/(TCP|UDP)", 0, r"<port>/\1"),
    (r"\bv\d+\.\d+\.\d+[\w.+-]*", 0, "<release>"),
    (r"\$\{tmp\}/(LIVE|MERGED)-\d+", 0, r"<tmp>/\1"),
    (r"\$\{tmp\}/[\w-]*edit-[\w]+\.(\w+)", 0, r"<tmp>/edit.\1"),
    (r"(?<!^[-+])(?<=\S)[ ]{2,}", re.M, "  "),  # the indentation of a line that diff prints is kept
    (r"[ ]+$", re.M, ""),
    (r"(?:(?<=  )|(?<=^))@AGE(?=$|  | \(x\d)", re.M, "<age>"),
    (r"\(x(\d+) over @AGE\)", 0, r"(x\1 over <age>)"),
    (r"\(@AGE ago\)", 0, "(<age> ago)"),
)]
LOG_LINE = re.compile(r"^[IWE]\d{4} \d\d:\d\d:\d\d\.\d+ .*\n?|^F\d{4} \d\d:.*?\] ", re.M)  # of a fatal one the words stay


def fill(value, names):
    if isinstance(value, str):
        return re.sub(r"\$\{(\w+)\}", lambda m: names.get(m[1], m[0]), value)
    if isinstance(value, list):
        return [fill(v, names) for v in value]
    if isinstance(value, dict):
        return {fill(k, names): fill(v, names) for k, v in value.items()}
    return value


def mark(text, names):
    """Replaces what differs from run to run."""
    for k in ("tmp", "dir", "ns", "id"):
        text = text.replace(names[k], "${%s}" % k)
    for pattern, by in RULES:
        text = pattern.sub(by, text)
    return text


class Case:
    def __init__(self, case, command, setup):
        self.case, self.command, self.setup = case, command, setup
        # where it speaks of itself: "See 'kubectl get --help'"
        self.program = re.compile(r"(?<![\w./-])(?:kubectl|%s)(?= )" % re.escape(os.path.basename(command[0])))
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="cli-"))
        ident = "".join(random.choices(string.ascii_lowercase, k=8))
        self.names = {"id": ident, "ns": "c-" + ident, "dir": str(self.base / "work"), "tmp": str(self.base / "tmp"), "stdout": ""}
        for d in ("work", "tmp", "home"):
            (self.base / d).mkdir()
        keep = {k: v for k, v in os.environ.items() if k in ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "RUST_BACKTRACE")}
        self.env = {**keep, "HOME": str(self.base / "home"), "TMPDIR": self.names["tmp"], "TZ": "UTC", "LC_ALL": "C", "TERM": "dumb"}
        self.background = []

    def write(self, files):
        for name, content in fill(files, self.names).items():
            path = self.base / "work" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(base64.b64decode(content["base64"]) if isinstance(content, dict) else content.encode())

    def quietly(self, *args):
        return subprocess.run([*self.setup, *args], cwd=self.base, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)

    def begin(self):
        self.write(self.case.get("files", {}))
        made = self.quietly("create", "namespace", self.names["ns"])
        if made.returncode:
            raise SystemExit(f"cannot create a namespace: {made.stderr[:300]}")
        # every namespace of a whole cluster has these two; there a controller makes them a moment later
        deadline = time.time() + 10
        while self.quietly("-n", self.names["ns"], "get", "sa/default", "cm/kube-root-ca.crt").returncode:
            if time.time() > deadline:
                raise SystemExit("a new namespace has no serviceaccount default or no configmap kube-root-ca.crt")
            time.sleep(0.05)

    def end(self):
        for process, *_ in self.background:
            if process.poll() is None:
                process.kill()
                process.wait()
        for args in self.case.get("cleanup", []):
            self.quietly(*fill(args, self.names))
        self.quietly("delete", "namespace", self.names["ns"], "--wait=false")
        shutil.rmtree(self.base, ignore_errors=True)

    def start(self, step, out, err):
        before = self.command[:1] if step.get("alone") else self.command if step.get("bare") else [*self.command, "-n", self.names["ns"]]
        argv = [*before, *fill(step["args"], self.names)]
        self.write(step.get("files", {}))
        stdin = subprocess.DEVNULL
        if "stdin" in step:
            stdin = tempfile.TemporaryFile()
            stdin.write(fill(step["stdin"], self.names).encode())
            stdin.seek(0)
        return subprocess.Popen(argv, cwd=self.base / "work", env={**self.env, **fill(step.get("env", {}), self.names)}, stdin=stdin, stdout=out, stderr=err)

    def outcome(self, step, code, out, err):
        out.seek(0), err.seek(0)
        stdout, stderr = out.read().decode("utf-8", "replace"), err.read().decode("utf-8", "replace")
        self.names["stdout"] = stdout
        stdout, stderr = mark(stdout, self.names), mark(LOG_LINE.sub("", stderr), self.names)
        stderr = self.program.sub("${program}", stderr)
        lines = stdout.split("\n")
        if "lines" in step:
            lines = [x for x in lines if re.search(step["lines"], x)]
        if step.get("sort"):
            lines.sort()
        stdout = "\n".join(lines)
        if step.get("any"):
            stdout = "<something>" if stdout.strip() else ""
        return {"exit": code, "stdout": stdout, "stderr": stderr}

    def perform(self, step):
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = self.start(step, out, err)
            try:
                code = process.wait(step.get("for", 60))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                code = "stopped" if "for" in step else "no end after 60 s"
            return self.outcome(step, code, out, err)

    def launch(self, step):
        out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        self.background.append((self.start(step, out, err), step, out, err))
        time.sleep(step["background"])

    def collect(self, record):
        """What the background steps printed, each given time to print what is expected."""
        for process, step, out, err in self.background:
            limit = step.get("for", 1)
            deadline = time.time() + (limit if record else 5 * limit)
            while time.time() < deadline:
                ended = process.poll() is not None or not record and step["expect"]["exit"] == "stopped"
                if not record and ended and self.outcome(step, "stopped", out, err)["stdout"] == step["expect"]["stdout"]:
                    time.sleep(0.3)  # in case it says too much
                    break
                time.sleep(0.1)
            code = process.poll()
            if code is None:
                process.kill()
                process.wait()
                code = "stopped"
            yield step, self.outcome(step, code, out, err)
            out.close(), err.close()


def verdict(want, got):
    if want == got:
        return "same"
    if want["exit"] == got["exit"] and want["stdout"] == got["stdout"] and bool(want["stderr"].strip()) == bool(got["stderr"].strip()):
        return "words"
    return "differ"


def differences(want, got):
    out = []
    if want["exit"] != got["exit"]:
        out.append(f"exit: expected {want['exit']}, got {got['exit']}")
    for k in ("stdout", "stderr"):
        if want[k] != got[k]:
            out.append(f"{k}:")
            out += ["  " + x for x in difflib.unified_diff(want[k].split("\n"), got[k].split("\n"), lineterm="", n=1) if x[:3] not in ("---", "+++")]
    return out


def run_case(case, command, setup, record):
    if not record and not all("expect" in step for step in case["steps"]):
        return "differ", [("", ["not recorded yet"])]
    run, result, notes = Case(case, command, setup), "same", []
    try:
        run.begin()
        results = []
        for number, step in enumerate(case["steps"], 1):
            what = f"step {number}: {shlex.join(step['args'])}"
            settle = step.get("settle", 0)
            if "background" in step:
                run.launch(step)
                continue
            if record:
                time.sleep(settle)
                step["expect"] = run.perform(step)
                continue
            deadline = time.time() + 5 * settle
            while True:
                got = run.perform(step)
                how = verdict(step["expect"], got)
                if how != "differ" or time.time() >= deadline:
                    break
                time.sleep(0.1)
            results.append((what, how, step["expect"], got))
            if how == "differ":
                break
        for step, got in run.collect(record):
            if record:
                step["expect"] = got
            else:
                results.append((shlex.join(step["args"]), verdict(step["expect"], got), step["expect"], got))
        for what, how, want, got in results:
            if how != "same":
                notes.append((what, differences(want, got)))
                result = "differ" if "differ" in (how, result) else "words"
    except OSError as e:  # a program that cannot be started is a failed case, not a crash
        if record:
            raise
        notes.append(("", [f"{type(e).__name__}: {e}"]))
        return "differ", notes
    finally:
        run.end()
    return result, notes


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("mode", choices=["check", "record"])
    ap.add_argument("files", nargs="+")
    ap.add_argument("--command", required=True, help="the program and the flags that say which cluster")
    ap.add_argument("--setup", help="the command that makes namespaces and cleans up (default: --command)")
    ap.add_argument("--case", help="only cases whose name contains this")
    ap.add_argument("-j", "--jobs", type=int, default=1, help="cases at a time")
    ap.add_argument("--missing", action="store_true", help="record only cases that have no expectation yet")
    ap.add_argument("-v", "--verbose", action="store_true", help="show how each case differs (all differences)")
    ap.add_argument("-q", "--quiet", action="store_true", help="totals only")
    a = ap.parse_args()
    command = shlex.split(a.command)
    setup = shlex.split(a.setup) if a.setup else command
    for words in (command, setup):  # a case runs in another directory
        words[:] = [os.path.abspath(w) if os.sep in w and os.path.exists(w) else w for w in words]
    total = {"same": 0, "words": 0, "differ": 0}
    for path in a.files:
        doc = json.load(open(path))
        count = dict.fromkeys(total, 0)
        cases = [c for c in doc["cases"] if (a.case or "") in c["name"] and not (a.missing and all("expect" in s for s in c["steps"]))]
        with ThreadPoolExecutor(a.jobs) as pool:
            results = list(pool.map(lambda c: run_case(c, command, setup, a.mode == "record"), cases))
        for case, (result, notes) in zip(cases, results):
            count[result] += 1
            if not a.quiet and (result == "differ" or (a.verbose and notes)):
                print(f"{result.upper():6} {doc['group']}: {case['name']}")
                for what, diffs in notes:
                    print("   ", what)
                    for d in diffs[: None if a.verbose else 12]:
                        print("       ", d)
        if a.mode == "record":
            json.dump(doc, open(path, "w"), indent=1, sort_keys=True)
            print(f"{doc['group']}: {sum(count.values())} cases recorded", flush=True)
        else:
            print(f"{doc['group']}: {count['same']} same, {count['words']} same but for words, {count['differ']} differ", flush=True)
        for k in total:
            total[k] += count[k]
    if a.mode == "check":
        print(f"{total['same'] + total['words']} passed, {total['differ']} failed")
        sys.exit(1 if total["differ"] else 0)


if __name__ == "__main__":
    main()
