#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The upload of an image to a simulated board, by `k1s board flash` and by curl, side by side: the best of three each.

    cargo build --release -p k1s && bench/board.py target/release/k1s [MIB]

The image is a sparse file (4096 MiB if not said otherwise), and what is zeros stays a hole on the simulated eMMC: no room is taken. What
is timed is the upload: from the start of the transfer to the moment at which the client knows that it is written. The peak of memory and
the time of the processor are the client's own, not the simulator's. Linux only: it reads /proc.
"""
import json, os, resource, subprocess, sys, tempfile, time, threading, urllib.parse

if len(sys.argv) not in (2, 3):
    sys.exit(__doc__)
K1S = os.path.abspath(sys.argv[1])
MIB = int(sys.argv[2]) if len(sys.argv) == 3 else 4096


def peak(process):
    """The most memory that a process had, in MiB; read until it ends."""
    most = 0
    while process.poll() is None:
        try:
            with open(f"/proc/{process.pid}/status") as f:
                most = max([most] + [int(line.split()[1]) for line in f if line.startswith("VmHWM")])
        except OSError:
            pass
        time.sleep(0.02)
    return most / 1024


def ended():
    """Seconds of the processor of all clients that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def so_far(process):
    """Seconds of the processor of one that runs."""
    with open(f"/proc/{process.pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def watched(process, result):
    result.append(peak(process))


with tempfile.TemporaryDirectory() as directory:
    image = os.path.join(directory, "image.raw")
    with open(image, "wb") as f:
        f.write(b"os: Testix 1.0\n")
        f.truncate(MIB << 20)
    sim = subprocess.Popen([K1S, "board", "sim", "--listen", "127.0.0.1:0", "--speed", "10", "--emmc-mib-per-second", "0",
                            "--dir", os.path.join(directory, "board")], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        url = sim.stdout.readline().split()[-1]
        env = dict(os.environ, HOME=directory, XDG_RUNTIME_DIR=directory, TPI_PASSWORD="turing", TPI_HOSTNAME=url)

        def curl(*args):
            return subprocess.run(["curl", "-sk", *args], capture_output=True, text=True, check=True).stdout

        def by_k1s():
            process = subprocess.Popen([K1S, "board", "flash", "-n", "1", "-i", image, "--skip-crc", "--progress", "plain"], env=env,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            memory, before = [], ended()
            thread = threading.Thread(target=watched, args=(process, memory))
            thread.start()
            first, begun = time.monotonic(), None
            for line in process.stderr:
                if begun is None and line.startswith("writing"):
                    begun, read = time.monotonic(), so_far(process)
            assert process.wait() == 0
            end = time.monotonic()
            thread.join()
            return end - begun, memory[0], begun - first, ended() - before - read

        def by_curl():
            token = json.loads(curl(f"{url}/api/bmc/authenticate", "-d", '{"username":"root","password":"turing"}'))["id"]
            session = f"Authorization: Bearer {token}"
            begun = time.monotonic()
            query = urllib.parse.urlencode({"opt": "set", "type": "flash", "node": 1, "file": "image.raw", "length": MIB << 20})
            handle = json.loads(curl("-H", session, f"{url}/api/bmc?{query}&skip_crc"))["handle"]
            before = ended()
            process = subprocess.Popen(["curl", "-skS", "--fail-with-body", "-H", session, "-F", f"file=@{image};type=application/octet-stream",
                                        f"{url}/api/bmc/upload/{handle}"], stdout=sys.stderr)
            memory = peak(process)
            assert process.wait() == 0
            worked = ended() - before
            while "Done" not in (state := curl("-H", session, f"{url}/api/bmc?opt=get&type=flash")):
                assert "Error" not in state, state
                time.sleep(0.02)
            return time.monotonic() - begun, memory, 0, worked

        runs = [(by_curl(), by_k1s()) for _ in range(3)]
        for n, name in enumerate(["curl", "k1s board flash"]):
            took, _, reading, _ = min(run[n] for run in runs)
            worked = min(run[n][3] for run in runs) * 1024 / MIB
            before = f", after {reading:.1f} s of reading it for its sum" if reading else ""
            print(f"{name:<16} {MIB / took:7.0f} MiB/s, {max(run[n][1] for run in runs):5.1f} MB resident, {worked:.2f} s of the processor a GiB{before}")
        ratios = sorted(run[0][0] / run[1][0] for run in runs)
        print("k1s against curl, in turns: " + ", ".join(f"{ratio:.2f}" for ratio in ratios))
    finally:
        sim.terminate()
        sim.wait()
