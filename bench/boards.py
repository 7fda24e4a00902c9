#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What simulated boards cost: their host, an API server, the air, and how soon an LED is on.

    cargo build --release --bin k1s && bench/boards.py target/release/k1s [--nodes 10000] [--minutes 6]

The server runs in memory, with the controller that finds nodes that are silent. Figures of idle boards are taken over the given
minutes: a node tells its whole status every five. Boards share HTTP/2 connections in the first part; bytes on the wire are
those of four boards with connections of their own, before TLS. Linux only: it reads /proc.
"""
import argparse, json, os, socket, subprocess, sys, tempfile, time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Cluster:
    """A server and boards, until the end of the block."""

    def __init__(self, k1s, nodes, controllers, *flags):
        self.k1s, self.nodes, self.controllers, self.flags = k1s, nodes, controllers, flags

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="k1s-bench.")
        self.kubeconfig = os.path.join(self.directory.name, "kc.yaml")
        self.path = os.path.join(self.directory.name, "pico.sock")
        self.server = subprocess.Popen(
            [self.k1s, "serve", "--memory", "--listen", "127.0.0.1:0", "--controllers", self.controllers,
             "--write-kubeconfig", self.kubeconfig], stdout=subprocess.PIPE, text=True)
        self.server.stdout.readline()
        begun = time.monotonic()
        self.boards = subprocess.Popen(
            [self.k1s, "pico", "sim", "--nodes", str(self.nodes), "--kubeconfig", self.kubeconfig, "--socket", self.path,
             *self.flags], stdout=subprocess.PIPE, text=True)
        for line in self.boards.stdout:
            if line.startswith("Ready after"):
                break
        self.ready = time.monotonic() - begun
        return self

    def __exit__(self, *_):
        for process in (self.boards, self.server):
            process.terminate()
            process.wait()
        self.directory.cleanup()

    def look(self, board=""):
        with socket.socket(socket.AF_UNIX) as stream:
            stream.connect(self.path)
            stream.sendall(f"look {board}".rstrip().encode() + b"\n")
            with stream.makefile() as answer:
                return [json.loads(line) for line in answer if line != "ok\n"]

    def totals(self):
        api = [board["api"] for board in self.look()]
        return {key: sum(one[key] for one in api) for key in api[0]}

    def kube(self, *words):
        subprocess.run([self.k1s, "--kubeconfig", self.kubeconfig, *words], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)


def resident(process):
    return next(int(line.split()[1]) for line in open(f"/proc/{process.pid}/status") if line.startswith("VmRSS"))


def processor(process):
    fields = open(f"/proc/{process.pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def row(what, figure):
    print(f"| {what} | {figure} |", flush=True)


def crowd(k1s, nodes, seconds):
    with Cluster(k1s, 1, "node-lifecycle-controller", "--connections", "shared") as alone:
        base = resident(alone.boards), resident(alone.server)
    with Cluster(k1s, nodes, "node-lifecycle-controller") as all_of_them:
        row(f"{nodes} boards, from the start until all are Ready", f"{all_of_them.ready:.1f} s")
        before, used = all_of_them.totals(), (processor(all_of_them.server), processor(all_of_them.boards))
        time.sleep(seconds)
        after = all_of_them.totals()
        share = [100 * (now - then) / seconds for now, then in
                 zip((processor(all_of_them.server), processor(all_of_them.boards)), used)]
        memory = resident(all_of_them.boards), resident(all_of_them.server)
        row("resident memory of a board (all, divided by their number)", f"{memory[0] / nodes:.1f} KB")
        row("the same without what one board takes", f"{(memory[0] - base[0]) / nodes:.1f} KB")
        row("resident memory of the server, per node", f"{(memory[1] - base[1]) / nodes:.1f} KB")
        row("requests of an idle node in a minute", f"{(after['requests'] - before['requests']) / nodes / seconds * 60:.2f}")
        row("reconnections; answers with an error, meanwhile",
            f"{after['reconnects'] - before['reconnects']}; {after['errors'] - before['errors']}")
        row("processor, server and boards", f"{share[0]:.0f} % and {share[1]:.0f} % of a core")


def air(k1s, seconds):
    with Cluster(k1s, 4, "node-lifecycle-controller", "--connections", "own") as few:
        time.sleep(5)
        before = few.totals()
        time.sleep(seconds)
        after = few.totals()
        per_hour = {key: (after[key] - before[key]) / 4 / seconds * 3600 / 1024 for key in ("sentBytes", "receivedBytes")}
        row("an idle node in an hour, HTTP/1.1 before TLS",
            f"{per_hour['sentBytes']:.0f} KB sent, {per_hour['receivedBytes']:.0f} KB received")


def led(k1s):
    times = []
    with Cluster(k1s, 1, "all", "--connections", "own") as one:
        for _ in range(10):
            begun = time.monotonic()
            one.kube("apply", "-f", "examples/blink.yaml")
            while not one.look("pico-0")[0]["led"]:
                time.sleep(0.001)
            times.append((time.monotonic() - begun) * 1000)
            one.kube("delete", "pod", "blink")
            while one.look("pico-0")[0]["pods"]:
                time.sleep(0.01)
    times.sort()
    row("from `k1s apply -f examples/blink.yaml` until the LED is on, median and most of 10",
        f"{times[len(times) // 2]:.0f} ms, {times[-1]:.0f} ms")


options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
options.add_argument("k1s")
options.add_argument("--nodes", type=int, default=10000)
options.add_argument("--minutes", type=float, default=6)
given = options.parse_args()
program = os.path.abspath(given.k1s)
print("| what | figure |\n|---|---|")
crowd(program, given.nodes, given.minutes * 60)
air(program, given.minutes * 60)
led(program)
