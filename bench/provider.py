#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a start of the Terraform provider costs, up to the line that tells the host where to connect: the best of 20.

    cargo build --release -p terraform-provider-turingpi && bench/provider.py target/release/terraform-provider-turingpi

A command line starts it three times for a plan and four times for an apply. Linux only: it reads /proc.
"""
import os, subprocess, sys, time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
COOKIE = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2"


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


if len(sys.argv) != 2:
    sys.exit(__doc__)
cpu, wall, peak = min(start(sys.argv[1]) for _ in range(20))
size = os.path.getsize(sys.argv[1]) / 1e6
print(f"{cpu:.1f} ms of processor time, {wall:.1f} ms, {peak:.1f} MB resident; binary {size:.1f} MB")
