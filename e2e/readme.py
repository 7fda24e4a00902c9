#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Follows a document word for word: runs the commands of its console blocks and compares what they print.

    readme.py DOCUMENT K1S KUBECTL            run and compare
    readme.py DOCUMENT K1S KUBECTL --update   run and write what was printed into the document

In a block marked ```console a line that starts with "$ " is a command, and what follows is what it prints (both streams).
All blocks share one shell in one scratch directory with an empty HOME, where `k1s` and `kubectl` are the given programs. A command that
ends in " &" is left running, and what it prints first is compared. Times, ages, uids, versions, ports and addresses are
made equal first. A block marked ```sh is for reading only.
"""
import os, pathlib, re, subprocess, sys, tempfile, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cli

END = "=== end of output ==="
PORT = re.compile(r"127\.0\.0\.1:\d+")


def blocks(text):
    """The console blocks: (start, end) of each in the text."""
    return [(m.start(1), m.end(1)) for m in re.finditer(r"^```console\n(.*?)^```$", text, re.M | re.S)]


def steps(block):
    """(command, expected output) of a block."""
    out = []
    for line in block.splitlines():
        if line.startswith("$ "):
            out.append([line[2:], []])
        elif out and out[-1][0].endswith("\\") or out and re.search(r"<<'?EOF'?", out[-1][0]) and not out[-1][0].endswith("\nEOF"):
            out[-1][0] += "\n" + line
        elif out:
            out[-1][1].append(line)
    return [(c, "\n".join(e)) for c, e in out]


def same(text, home):
    text = text.replace(str(home), "~")
    for pattern, by in cli.RULES:
        text = pattern.sub(by, text)
    return PORT.sub("127.0.0.1:<port>", text).strip()


class Shell:
    def __init__(self, k1s, kubectl, home):
        self.home = home
        (home / "bin").mkdir()
        (home / "bin" / "k1s").symlink_to(os.path.abspath(k1s))
        (home / "bin" / "kubectl").symlink_to(os.path.abspath(kubectl))
        (home / "work").mkdir()
        env = {"PATH": f"{home}/bin:{os.environ['PATH']}", "HOME": str(home), "LC_ALL": "C", "TERM": "dumb", "TZ": "UTC"}
        self.bash = subprocess.Popen(["bash", "--norc"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                     cwd=home / "work", env=env, text=True, bufsize=1)
        self.background = 0

    def run(self, command):
        if command.endswith(" &"):
            self.background += 1
            log = self.home / f"background-{self.background}"
            self.ask(f"{command[:-2]} > {log} 2>&1 &")
            size, deadline = -1, time.time() + 10
            while time.time() < deadline:  # until it has said all that it says at first
                time.sleep(0.3)
                now = log.stat().st_size if log.exists() else 0
                if now and now == size:
                    break
                size = now
            return log.read_text()
        return self.ask(command)

    def ask(self, command):
        self.bash.stdin.write(f"{command}\necho '{END}'\n")
        self.bash.stdin.flush()
        lines = []
        for line in self.bash.stdout:
            if line.rstrip("\n").endswith(END):
                rest = line.rstrip("\n")[: -len(END)]
                return "".join(lines) + rest
            lines.append(line)
        raise SystemExit(f"the shell ended in: {command}")

    def close(self):
        self.bash.stdin.write("kill $(jobs -p) 2>/dev/null; wait\nexit\n")
        self.bash.stdin.flush()
        self.bash.wait(timeout=20)


def main():
    path, k1s, kubectl = pathlib.Path(sys.argv[1]), *sys.argv[2:4]
    update = "--update" in sys.argv
    text = path.read_text()
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="readme-") as scratch:
        home = pathlib.Path(scratch)
        shell = Shell(k1s, kubectl, home)
        fresh, last = "", 0
        for start, end in blocks(text):
            fresh += text[last:start]
            last = end
            for command, expected in steps(text[start:end]):
                got = shell.run(command)
                fresh += f"$ {command}\n" + got.replace(str(home), "~").rstrip("\n") + ("\n" if got.strip() else "")
                if same(got, home) == same(expected, home):
                    passed += 1
                else:
                    failed += 1
                    if not update:
                        print(f"DIFFERS  $ {command}\n--- expected\n{expected}\n--- got\n{got}")
        fresh += text[last:]
        shell.close()
    if update:
        path.write_text(fresh)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed and not update else 0)


if __name__ == "__main__":
    main()
