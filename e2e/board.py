#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`k1s board` against `k1s board sim`, as a user sits before them: a terminal, two processes on one board, Ctrl-C.

    board.py K1S

Python's standard library is all it needs.
"""
import json, os, pty, re, select, signal, subprocess, sys, tempfile, time, urllib.request

K1S = os.path.abspath(sys.argv[1])
passed = failed = 0


def check(what, ok, got=""):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print(f"FAILED {what}: {got}")


class Sim:
    """A simulated board, with a home of its own for whoever speaks to it."""

    def __init__(self, *flags):
        self.home = tempfile.TemporaryDirectory()
        self.dir = self.home.name
        fast = [] if "--speed" in flags else ["--speed", "100", "--emmc-mib-per-second", "0"]
        command = [K1S, "board", "sim", "--listen", "127.0.0.1:0", *fast, *flags]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, text=True)
        self.url = self.process.stdout.readline().split()[-1]
        self.env = dict(os.environ, HOME=self.dir, XDG_RUNTIME_DIR=self.dir, TPI_PASSWORD="turing", TPI_HOSTNAME=self.url)
        for name in ["XDG_CONFIG_HOME", "XDG_CACHE_HOME", "TPI_PORT", "TPI_USERNAME", "TPI_OUTPUT_JSON"]:
            self.env.pop(name, None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.home.cleanup()

    def run(self, *args, env=None, code=0):
        result = subprocess.run([K1S, "board", *args], env={**self.env, **(env or {})}, capture_output=True, text=True,
                                stdin=subprocess.DEVNULL, cwd=self.dir, timeout=120)
        check(f"exit code of {' '.join(args)}", result.returncode == code, (result.returncode, result.stderr))
        return result

    def start(self, *args, **more):
        return subprocess.Popen([K1S, "board", *args], env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                stdin=subprocess.DEVNULL, text=True, cwd=self.dir, **more)

    def image(self, name="image.raw", size=3_000_000):
        path = os.path.join(self.dir, name)
        with open(path, "wb") as f:
            f.write(b"os: Testix 1.0\n")
            f.write(os.urandom(size))
        return path

    def until(self, reached, process=None):
        """Waits for something to come about, as long as the process that brings it about runs."""
        end = time.monotonic() + 120
        while not reached():
            assert process is None or process.poll() is None, f"it ended: {process.stderr.read()}"
            assert time.monotonic() < end, "it does not come to that"
            time.sleep(0.05)

    def written(self):
        # asked as often as it takes: not one of the checks that are counted
        asked = subprocess.run([K1S, "board", "flash", "status", "-o", "json"], env=self.env, capture_output=True, text=True, check=True,
                               stdin=subprocess.DEVNULL, timeout=60)
        state = json.loads(asked.stdout)
        return state.get("transferring", {}).get("bytes_written", 0) if isinstance(state, dict) else 0


def verbs():
    """Each verb has help with an example, and JSON where it prints something."""
    top = subprocess.run([K1S, "board", "--help"], capture_output=True, text=True).stdout
    names = "info power flash firmware uart console usb advanced cooling nodes eth reboot reload backup sim".split()
    for name in names:
        check(f"{name} is listed", re.search(rf"^ +{name}\b", top, re.M), top)
        text = subprocess.run([K1S, "board", name, "--help"], capture_output=True, text=True)
        check(f"help of {name}", text.returncode == 0 and f"k1s board {name}" in text.stdout and "xample" in text.stdout, text.stdout)
    with Sim() as sim:
        reads = [["info"], ["power", "status"], ["flash", "status"], ["uart", "get", "-n", "1"], ["uart", "status"], ["usb", "status"],
                 ["usb", "node1"], ["cooling", "status"], ["nodes"]]
        for args in reads:
            by_flag = sim.run(*args, "-o", "json").stdout
            json.loads(by_flag)
            check(f"--json of {args}", json.loads(sim.run(*args, "--json").stdout) is not None)
            json.loads(sim.run(*args, env={"TPI_OUTPUT_JSON": "1"}).stdout)
            check(f"YAML of {args}", sim.run(*args, "-o", "yaml").stdout)
            check(f"words of {args}", "{" not in sim.run(*args).stdout or args[0] in ("flash", "uart"))
        acts = [["power", "on"], ["power", "off", "-n", "2"], ["power", "reset", "-n", "1"], ["usb", "device", "-n", "1", "-b"],
                ["usb", "boot", "-n", "4"], ["usb", "node1", "alternative"], ["advanced", "msd", "-n", "3"],
                ["advanced", "normal", "-n", "3"], ["cooling", "set", "system fan", "5"], ["uart", "set", "-n", "1", "-c", "root"],
                ["eth", "reset"], ["reload", "--wait"]]
        for args in acts:
            check(f"result of {args}", json.loads(sim.run(*args, "-o", "json").stdout) == {"result": "ok"})
        power = json.loads(sim.run("power", "status", "-o", "json").stdout)
        check("power", power == {"node1": True, "node2": False, "node3": True, "node4": True}, power)
        backup = json.loads(sim.run("backup", "-o", "json").stdout)
        mode = os.stat(os.path.join(sim.dir, backup["file"])).st_mode & 0o777
        check("a backup is private", mode == 0o600, oct(mode))
        for args, text in [(["power", "reset"], "name one slot"), (["power", "on", "-n", "5"], "slots are 1, 2, 3 and 4"),
                           (["usb", "sideways", "-n", "1"], "host, device and flash are"), (["flash", "-n", "1"], "--image-path"),
                           (["flash", "-n", "1", "-i", "none.raw"], "none.raw"), (["info", "-o", "xml"], "json or yaml"),
                           (["flash", "-n", "1", "-i", sim.image(), "--progress", "loud"], "auto, plain or none")]:
            result = sim.run(*args, code=1)
            check(f"error of {args}", text in result.stderr and not result.stdout, result.stderr)
        wrong = sim.run("power", "status", env={"TPI_PASSWORD": "hunter2", "HOME": sim.dir + "/other", "XDG_RUNTIME_DIR": sim.dir}, code=1)
        check("a wrong password", "refused user" in wrong.stderr and "hunter2" not in wrong.stderr, wrong.stderr)
    with Sim("--firmware", "1.1") as sim:
        host = sim.url.removeprefix("http://")
        power = sim.run("power", "status", "-a", "v1", "--host", host)
        check("1.x by -a v1", "node1: off" in power.stdout, power.stdout)
        refused = sim.run("usb", "host", "-n", "1", "-b", "--host", sim.url, code=1)
        check("1.x has no route to the BMC", "needs BMC firmware 2.0.4" in refused.stderr, refused.stderr)


def as_tpi():
    """As users of tpi type: flags before the verb, its variables, its password flag; and as at a terminal, where the password is asked for."""
    with Sim() as sim:
        sim.run("power", "on", "-n", "2")
        for args in [["--json", "power", "status"], ["power", "--json", "status"], ["--host", sim.url, "--user", "root", "--json", "power", "status"]]:
            check(f"{args}", json.loads(sim.run(*args).stdout)["node2"] is True)
        check("TPI_OUTPUT_JSON=false", "node2: on" in sim.run("power", "status", env={"TPI_OUTPUT_JSON": "false"}).stdout)
        check("nothing to cancel", "no transfer is under way" in sim.run("flash", "cancel").stdout)
        check("nothing was transferred", sim.run("flash", "status").stdout.startswith("ready"))
        sim.run("flash", "-n", "1", "-i", sim.image(size=3_000_000))
        check("what was transferred", sim.run("flash", "status").stdout.startswith("done: 2 MiB"))
        # the session of a moment ago is enough
        sim.run("power", "status", env={"TPI_PASSWORD": ""})
        other = {"HOME": sim.dir + "/other", "TPI_PASSWORD": ""}
        refused = sim.run("power", "status", env=other, code=1)
        check("no password", "asks for a login" in refused.stderr and "--password-file" in refused.stderr, refused.stderr)
        given = sim.run("--password", "turing", "power", "status", env=other)
        check("--password", "node2: on" in given.stdout and "list of processes" in given.stderr, given.stderr)
        for typed, code, text in [(b"turing\r", 0, b"node2: on"), (b"wrong\r", 1, b"refused user"), (b"tur\x03", 1, b"asks for a login")]:
            with tempfile.TemporaryDirectory() as home:
                pid, terminal = pty.fork()
                if pid == 0:
                    os.execve(K1S, [K1S, "board", "power", "status"], {**sim.env, "HOME": home, "TPI_PASSWORD": ""})
                shown = b""
                try:
                    while chunk := os.read(terminal, 4096):
                        shown += chunk
                        # once, when it is asked for
                        if shown.endswith(b": ") and b"Password of root at" in shown and typed:
                            os.write(terminal, typed)
                            typed = b""
                except OSError:
                    pass
                _, status = os.waitpid(pid, 0)
                check(f"at a terminal: {text}", os.waitstatus_to_exitcode(status) == code and text in shown, shown)
                check(f"at a terminal: {text}: not shown", b"turing\r" not in shown.split(b"Password of")[1].split(b"\n")[0], shown)


def simulated():
    """The simulated board is the same at each start, goes wrong by a script or by a number, and tells plain HTTP where to go."""
    with tempfile.TemporaryDirectory() as dir:
        shown = []
        for n in range(2):
            with Sim("--dir", dir + "/board", "--certificate-file", f"{dir}/{n}.pem"):
                shown.append(open(f"{dir}/{n}.pem").read())
        check("its certificate stays", shown[0] == shown[1] and "PRIVATE" not in shown[0], shown)
        mode = os.stat(dir + "/board/bmc.pem").st_mode & 0o777
        check("its key is private", mode == 0o600, oct(mode))
        script = os.path.join(dir, "night")
        open(script, "w").write("0s power-unknown # and later\n10m restart\n")
        with Sim("--fault-script", script) as sim:
            sim.until(lambda: "unknown" in sim.run("power", "status").stdout, sim.process)
        command = [K1S, "board", "sim", "--listen", "127.0.0.1:0", "--fault-script", script]
        open(script, "w").write("0s power-unknown\n10x restart\n")
        wrong = subprocess.run(command, capture_output=True, text=True, timeout=60)
        check("a script that is none", wrong.returncode == 1 and 'line 2: "10x" is no time' in wrong.stderr, wrong.stderr)
        drawn = []
        for seed in ["7", "7", "8"]:
            command = [K1S, "board", "sim", "--listen", "127.0.0.1:0", "--listen-plain", "127.0.0.1:0", "--dir", dir + "/seed", "--seed", seed]
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            lines = []
            for line in process.stderr:
                lines.append(line)
                if line.startswith("plain HTTP on "):
                    plain = line.split()[-1]
                    page = json.load(urllib.request.urlopen(plain + "/info", timeout=60))
                    check("plain HTTP tells what it may", "version" in page["response"][0]["result"][0], page)
                if line.startswith("try:"):
                    break
            process.terminate()
            process.wait()
            drawn.append("".join(lines).split("plain HTTP")[0])
        check("a number is always the same faults", drawn[0] == drawn[1] != drawn[2] and "what goes wrong" in drawn[0], drawn)


def progress():
    """Progress goes to standard error: a bar on a terminal, lines where they are asked for, else nothing."""
    with Sim() as sim:
        image = sim.image()
        quiet = sim.run("flash", "-n", "1", "-i", image)
        check("no progress in a pipe", quiet.stderr == "" and "slot 1: written, and off" in quiet.stdout, quiet)
        lines = sim.run("flash", "-n", "1", "-i", image, "--progress", "plain", "-o", "json")
        check("lines", "writing: 0 %" in lines.stderr and json.loads(lines.stdout)["bytes"] > 3_000_000, lines)
        master, slave = pty.openpty()
        flash = subprocess.Popen([K1S, "board", "flash", "-n", "2", "-i", image, "--power-on"], env=sim.env, stdout=subprocess.PIPE,
                                 stderr=slave, stdin=subprocess.DEVNULL, text=True)
        os.close(slave)
        shown = b""
        try:
            while chunk := os.read(master, 4096):
                shown += chunk
        except OSError:
            pass
        check("a bar", flash.wait() == 0 and b"writing    [" in shown and b"\r" in shown, shown)
        check("switched on", "written, and on" in flash.stdout.read())


def two_processes():
    """What would spoil the transfer of another process is refused with its name; Ctrl-C ends a transfer on the board, too."""
    with Sim("--fault", "stuck-at=500000") as sim:
        flash = sim.start("flash", "-n", "3", "-i", sim.image())
        sim.until(lambda: sim.written() >= 500_000, flash)
        for args in [["power", "off", "-n", "3"], ["power", "off"], ["power", "reset", "-n", "3"], ["usb", "host", "-n", "1"],
                     ["advanced", "msd", "-n", "1"], ["reload"], ["reboot"], ["eth", "reset"]]:
            refused = sim.run(*args, code=1)
            check(f"{args} in mid-flash", f"process {flash.pid} is flashing slot 3" in refused.stderr, refused.stderr)
        sim.run("power", "on", "-n", "1")
        check("it goes on", sim.written() >= 500_000 and flash.poll() is None)
        second = sim.start("flash", "-n", "2", "-i", sim.image("other.raw"), "--progress", "plain")
        line = second.stderr.readline()
        check("a second transfer waits", "waiting for another transfer" in line, line)
        flash.send_signal(signal.SIGINT)
        out, err = flash.communicate(timeout=60)
        check("Ctrl-C", flash.returncode == 1 and "stopped; what is on the module is incomplete" in err, (flash.returncode, err))
        out, err = second.communicate(timeout=120)
        check("and has its turn then", second.returncode == 0 and "slot 2: written" in out, err)
    with Sim("--speed", "1", "--emmc-mib-per-second", "2") as sim:
        flash = sim.start("flash", "-n", "3", "-i", sim.image(size=200_000_000))
        sim.until(lambda: sim.written() >= 500_000, flash)
        flash.kill()
        flash.wait()
        # a lock dies with its process; the board sees the end of the upload
        sim.until(lambda: sim.written() == 0)
        sim.run("power", "on", "-n", "3")
    with Sim("--fault", "stuck-at=500000") as sim:
        flash = sim.start("flash", "-n", "3", "-i", sim.image())
        sim.until(lambda: sim.written() >= 500_000, flash)
        sim.run("power", "off", "-n", "3", "--force")
        out, err = flash.communicate(timeout=60)
        check("torn off by force", flash.returncode == 1 and "No such device" in err, err)


def console():
    """The console on a terminal: what the module says, what is typed, and the key that ends it."""
    for flags in [[], ["--fault", "web-socket-hangs"]]:
        with Sim(*flags) as sim:
            sim.run("flash", "-n", "2", "-i", sim.image(size=1000))
            pid, terminal = pty.fork()
            if pid == 0:
                os.execve(K1S, [K1S, "board", "console", "2"], sim.env)
            shown = b""

            def see(text, typing=b""):
                nonlocal shown
                end = time.monotonic() + 60
                while text not in shown and time.monotonic() < end:
                    ready, _, _ = select.select([terminal], [], [], 0.5)
                    if ready:
                        try:
                            shown += os.read(terminal, 4096)
                        except OSError:
                            break
                    elif typing:
                        os.write(terminal, typing)
                check(f"console {flags}: {text}", text in shown, shown[-300:])

            see(b"Ctrl-] ends it")
            sim.run("power", "on", "-n", "2")
            see(b"login: ")
            see(b"Login incorrect", typing=b"somebody\r")
            # Ctrl-C is for the module
            os.write(terminal, b"\x03")
            os.write(terminal, b"\x1d")
            try:
                while os.read(terminal, 4096):
                    pass
            except OSError:
                pass
            _, status = os.waitpid(pid, 0)
            check(f"console {flags}: Ctrl-] ends it", os.waitstatus_to_exitcode(status) == 0, status)


for part in [verbs, as_tpi, simulated, progress, two_processes, console]:
    begun = time.monotonic()
    part()
    print(f"{part.__name__}: {time.monotonic() - begun:.0f} s", flush=True)
print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0)
