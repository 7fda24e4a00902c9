#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The modules of `k1s board sim` as SSH hosts, with OpenSSH's clients: the simulator's own server, and Debian's sshd before it.

    board_ssh.py K1S [--sshd DIRECTORY]    sshd is looked for in DIRECTORY first

Python's standard library and openssh-client are all it needs.
"""
import argparse, getpass, hashlib, os, pty, re, select, subprocess, sys, tempfile, time

arguments = argparse.ArgumentParser()
arguments.add_argument("k1s")
arguments.add_argument("--sshd", default="")
arguments = arguments.parse_args()
arguments.sshd = arguments.sshd and os.path.abspath(arguments.sshd)
K1S = os.path.abspath(arguments.k1s)
passed = failed = 0


def check(what, ok, got=""):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print(f"FAILED {what}: {got}", flush=True)


class Sim:
    """A simulated board whose images let this user in by key."""

    def __init__(self, mode):
        self.mode = mode
        self.home = tempfile.TemporaryDirectory()
        self.dir = self.home.name
        self.user = getpass.getuser()
        self.key = os.path.join(self.dir, "key")
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key], check=True, stdin=subprocess.DEVNULL)
        path = os.pathsep.join(filter(None, [arguments.sshd, os.environ.get("PATH", "")]))
        command = [K1S, "board", "sim", "--listen", "127.0.0.1:0", "--speed", "100", "--emmc-mib-per-second", "0", "--ssh", mode,
                   "--authorized-keys", self.key + ".pub", "--modules", "rk1,cm4,jetson,empty"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=sys.stderr, stdin=subprocess.DEVNULL, text=True,
                                        env=dict(os.environ, PATH=path))
        self.url = self.process.stdout.readline().split()[-1]
        lines = [self.process.stdout.readline() for _ in range(3)]
        self.ports = {int(m[1]): m[2] for m in (re.match(r"slot (\d) .*: ssh -p (\d+) ", line) for line in lines)}
        check("each module but the empty one has a port", sorted(self.ports) == [1, 2, 3], lines)
        self.env = dict(os.environ, HOME=self.dir, XDG_RUNTIME_DIR=self.dir, TPI_PASSWORD="turing", TPI_HOSTNAME=self.url)
        self.env.pop("SSH_AUTH_SOCK", None)
        self.known = os.path.join(self.dir, "known_hosts")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.home.cleanup()

    def board(self, *args):
        result = subprocess.run([K1S, "board", *args], env=self.env, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120)
        check(f"board {' '.join(args)}", result.returncode == 0, result.stderr)
        return result.stdout

    def options(self, port_flag="-p", checking="yes"):
        return ["-F", "none", port_flag, self.ports[1], "-i", self.key, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o",
                f"UserKnownHostsFile={self.known}", "-o", f"StrictHostKeyChecking={checking}", "-o", "ConnectTimeout=60"]

    def ssh(self, command, stdin="", checking="yes"):
        return subprocess.run(["ssh", *self.options(checking=checking), f"{self.user}@127.0.0.1", *([command] if command else [])],
                              env=self.env, input=stdin, capture_output=True, text=True, timeout=120)

    def runs(self, command, output, code=0, stdin=""):
        result = self.ssh(command, stdin)
        check(f"{self.mode}: {command}", (result.returncode, result.stdout) == (code, output), (result.returncode, result.stdout, result.stderr))

    def image(self, text):
        path = os.path.join(self.dir, "image.raw")
        with open(path, "wb") as f:
            f.write(f"os: Testix {text}\nuser: {self.user}\npassword: secret\n".encode() + b"\xff" + os.urandom(10_000))
        return path

    def flash(self, text):
        self.board("flash", "-n", "1", "-i", self.image(text))

    def until(self, reached, what):
        """Waits for a state itself, as long as the simulator runs."""
        end = time.monotonic() + 120
        while not reached():
            assert self.process.poll() is None and time.monotonic() < end, f"it does not come to that: {what}"
            time.sleep(0.05)

    def booted(self, text):
        """Until the module that was switched on says that it is up: the console asks for a name."""
        self.until(lambda: re.search(rf"Booting Testix {text}\b(?s:.)*login: $", self.board_quietly("uart", "get", "-n", "1")), "a login prompt")

    def board_quietly(self, *args):
        return subprocess.run([K1S, "board", *args], env=self.env, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL).stdout

    def host_key(self):
        found = subprocess.run(["ssh-keyscan", "-T", "60", "-p", self.ports[1], "-t", "ed25519", "127.0.0.1"], capture_output=True, text=True)
        keys = [line for line in found.stdout.splitlines() if not line.startswith("#")]
        return keys[0] if keys else ""

    def refuses(self, what):
        result = self.ssh("true", checking="accept-new")
        check(f"{self.mode}: {what}: refused", result.returncode == 255 and "Connection refused" in result.stderr, result.stderr)


def life(mode):
    """An image is flashed and booted, set up over SSH, rebooted, written anew, and loses its power in the middle of a session."""
    with Sim(mode) as sim:
        sim.refuses("an empty module that is off")
        sim.board("power", "on", "-n", "1")
        sim.until(lambda: "No bootable device" in sim.board_quietly("uart", "get", "-n", "1"), "nothing to boot")
        sim.refuses("an empty module that is on")
        sim.flash("1")
        sim.refuses("a module that is left off after a flash")
        sim.board("power", "on", "-n", "1")
        sim.booted("1")
        key = sim.host_key()
        check(f"{mode}: a host key", "ssh-ed25519 " in key, key)
        with open(sim.known, "w") as f:
            f.write(key + "\n")
        commands(sim)
        copies(sim)
        k3s(sim)
        sim.ssh("sudo reboot")
        # the reboot is seen on the console: its kernel comes up a second time
        sim.until(lambda: sim.board_quietly("uart", "get", "-n", "1").count("Booting Testix 1") == 2, "a reboot")
        sim.booted("1")
        sim.runs("cat kept; systemctl is-active k3s; sudo k3s kubectl get nodes -o name; ls /tmp", "kept\nactive\nnode/cp1\n")
        check(f"{mode}: the same host key", sim.host_key() == key, sim.host_key())
        cut(sim)
        sim.flash("2")
        sim.board("power", "on", "-n", "1")
        sim.booted("2")
        changed = sim.ssh("true")
        check(f"{mode}: a new host key is refused", changed.returncode == 255 and "HAS CHANGED" in changed.stderr, changed.stderr)
        os.remove(sim.known)
        gone = sim.ssh("ls kept; systemctl is-active k3s; sudo mount /dev/nvme0n1 /mnt && cat /mnt/disk", checking="accept-new")
        check(f"{mode}: files are gone, the disk's are there", gone.stdout == "inactive\ndisk\n" and "No such file" in gone.stderr, gone)
        sim.ssh("sudo poweroff")
        sim.until(lambda: "Power down" in sim.board_quietly("uart", "get", "-n", "1"), "a halt")
        sim.refuses("a module that halted")
        check(f"{mode}: the slot keeps its power", "node1: on" in sim.board("power", "status"))


def commands(sim):
    sim.runs("uname -m; whoami; pwd", f"aarch64\n{sim.user}\n{'/root' if sim.user == 'root' else '/home/' + sim.user}\n")
    sim.runs("exit 7", "", code=7)
    sim.runs("nosuch", "", code=127)
    result = sim.ssh("nosuch; ls /none; echo out; echo err >&2")
    check(f"{sim.mode}: two streams", result.stdout == "out\n" and result.stderr == "bash: line 1: nosuch: command not found\nls: cannot access "
          "'/none': No such file or directory\nerr\n", result)
    sim.runs("sudo mkdir -p /etc/rancher/k3s && sudo tee /etc/rancher/k3s/config.yaml > /dev/null && wc -l < /etc/rancher/k3s/config.yaml",
             "2\n", stdin="token: s3cret\nnode-name: cp1\n")
    sim.runs("cat > kept && cat kept", "kept\n", stdin="kept\n")
    sim.runs("bash -s -- a b", "b\n", stdin="set -eu\necho $2\n")
    sim.runs("sudo mkfs.ext4 -q /dev/nvme0n1 && sudo mount /dev/nvme0n1 /mnt && echo disk | sudo tee /mnt/disk", "disk\n")
    sim.runs("", "piped\n", stdin="x=piped\necho $x\n")
    blob = os.urandom(1_500_000)
    result = subprocess.run(["ssh", *sim.options(), f"{sim.user}@127.0.0.1", "cat > blob; sha256sum blob | cut -c1-64; cat blob"], env=sim.env, input=blob,
                            capture_output=True, timeout=120)
    check(f"{sim.mode}: a megabyte there and back", result.stdout == hashlib.sha256(blob).hexdigest().encode() + b"\n" + blob, (len(result.stdout), result.stderr))
    # on a terminal
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe("ssh", ["ssh", "-tt", *sim.options(), f"{sim.user}@127.0.0.1"], sim.env)
    shown = b""

    def see(text):
        nonlocal shown
        end = time.monotonic() + 60
        while text not in shown and time.monotonic() < end:
            if select.select([terminal], [], [], 0.5)[0]:
                try:
                    shown += os.read(terminal, 4096)
                except OSError:
                    break
        check(f"{sim.mode}: terminal: {text}", text in shown, shown[-500:])
        shown = shown[shown.find(text) + len(text):]

    see(f"{sim.user}@rk1-1:~".encode())
    os.write(terminal, b"sleep 100000\r")
    see(b"sleep 100000")
    os.write(terminal, b"\x03")
    see(b"^C")
    see(f"{sim.user}@rk1-1:~".encode())
    os.write(terminal, b"cd /etc; echo $((6*7)); exit 5\r")
    see(b"exit 5")
    see(b"42\r\n")
    try:
        while os.read(terminal, 4096):
            pass
    except OSError:
        pass
    _, status = os.waitpid(pid, 0)
    check(f"{sim.mode}: the terminal's exit code", os.waitstatus_to_exitcode(status) == 5, status)


def copies(sim):
    """scp in both ways and both protocols, and sftp."""
    local = os.path.join(sim.dir, "up")
    with open(local, "wb") as f:
        f.write(os.urandom(300_000))
    scp = ["scp", "-q", *sim.options("-P")]
    up = subprocess.run([*scp, local, f"{sim.user}@127.0.0.1:/tmp/up"], env=sim.env, capture_output=True, text=True, timeout=120)
    check(f"{sim.mode}: scp up", up.returncode == 0, up.stderr)
    down = subprocess.run([*scp, f"{sim.user}@127.0.0.1:/tmp/up", local + ".back"], env=sim.env, capture_output=True, text=True, timeout=120)
    same = down.returncode == 0 and open(local, "rb").read() == open(local + ".back", "rb").read()
    check(f"{sim.mode}: scp down", same, down.stderr)
    # the old protocol, which Terraform's provisioners speak too: the one that scp speaks by itself before OpenSSH 9
    old = ["-O"] if "unknown option" not in subprocess.run(["scp", "-O"], capture_output=True, text=True).stderr else []
    os.makedirs(os.path.join(sim.dir, "tree/sub"))
    for name, content in [("tree/one", b"1\n"), ("tree/sub/none", b"")]:
        with open(os.path.join(sim.dir, name), "wb") as f:
            f.write(content)
    for given, to in [([local], "/tmp/old"), (["-r", os.path.join(sim.dir, "tree")], "/tmp")]:
        up = subprocess.run([*scp, *old, *given[:-1], given[-1], f"{sim.user}@127.0.0.1:{to}"], env=sim.env, capture_output=True, text=True, timeout=120)
        check(f"{sim.mode}: old scp up, {to}", up.returncode == 0, up.stderr)
    os.makedirs(os.path.join(sim.dir, "down"))
    down = subprocess.run([*scp, *old, "-r", f"{sim.user}@127.0.0.1:/tmp/old", f"{sim.user}@127.0.0.1:/tmp/tree", sim.dir + "/down/"], env=sim.env,
                          capture_output=True, text=True, timeout=120)
    read = lambda name: open(os.path.join(sim.dir, name), "rb").read()
    same = down.returncode == 0 and read("down/old") == read("up") and read("down/tree/one") == b"1\n" and read("down/tree/sub/none") == b""
    check(f"{sim.mode}: old scp down", same, down.stderr)
    refused = subprocess.run([*scp, *old, local, f"{sim.user}@127.0.0.1:/none/x"], env=sim.env, capture_output=True, text=True, timeout=120)
    check(f"{sim.mode}: old scp where nothing is", refused.returncode == 1 and "No such file" in refused.stderr, refused)
    batch = "mkdir /tmp/d\nput up /tmp/d/f\nchmod 600 /tmp/d/f\nrename /tmp/d/f /tmp/d/g\nls /tmp/d\nrm /tmp/d/g\nrmdir /tmp/d\n-get /none\n"
    sftp = subprocess.run(["sftp", "-q", "-b", "-", *sim.options("-P"), f"{sim.user}@127.0.0.1"], env=sim.env, input=batch, capture_output=True, text=True,
                          cwd=sim.dir, timeout=120)
    check(f"{sim.mode}: sftp", sftp.returncode == 0 and "/tmp/d/g" in sftp.stdout, (sftp.returncode, sftp.stdout, sftp.stderr))


def k3s(sim):
    sim.runs("systemctl is-active k3s", "inactive\n", code=3)
    result = sim.ssh("curl -sfL https://get.k3s.io | sudo INSTALL_K3S_VERSION=v1.31.3+k3s1 K3S_TOKEN=s3cret sh -s - server --disable traefik")
    check(f"{sim.mode}: k3s install", result.returncode == 0 and "systemd: Starting k3s" in result.stdout, result)
    sim.runs("systemctl is-active k3s; sudo cut -d: -f4 /var/lib/rancher/k3s/server/node-token; k3s --version | head -n 1 | cut -d' ' -f3",
             "active\ns3cret\nv1.31.3+k3s1\n")
    sim.runs("until sudo k3s kubectl get nodes | grep -qw Ready; do sleep 5; done; sudo k3s kubectl get node cp1 --no-headers | tr -s ' ' | cut -d' ' -f2",
             "Ready\n")
    pem = sim.ssh("sudo grep certificate-authority-data /etc/rancher/k3s/k3s.yaml | tr -d ' ' | cut -d: -f2 | base64 -d").stdout
    check(f"{sim.mode}: a certificate in the kubeconfig", pem.startswith("-----BEGIN CERTIFICATE-----"), pem)


def cut(sim):
    """The power goes in the middle of a session."""
    session = subprocess.Popen(["ssh", *sim.options(), f"{sim.user}@127.0.0.1", "echo here; sleep 1000000"], env=sim.env, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    check(f"{sim.mode}: a session", session.stdout.readline() == "here\n")
    sim.board("power", "off", "-n", "1")
    _, err = session.communicate(timeout=120)
    check(f"{sim.mode}: it dies with the power", session.returncode == 255 and any(word in err for word in ["closed", "reset", "gone"]), (session.returncode, err))
    sim.refuses("a module that is off")


def console():
    """The serial console and SSH are in one world; passwords are the image's."""
    with Sim("own") as sim:
        sim.flash("3")
        sim.board("power", "on", "-n", "1")
        sim.booted("3")
        said = lambda: sim.board_quietly("uart", "get", "-n", "1")
        for count, password in [(1, "wrong"), (2, "secret")]:
            sim.board("uart", "set", "-n", "1", "-c", sim.user)
            # it is not shown once it is asked for
            sim.until(lambda: said().count("Password: ") == count, "the question for a password")
            sim.board("uart", "set", "-n", "1", "-c", password)
            sim.until(lambda: ("Login incorrect" if count == 1 else f"{sim.user}@rk1-1:~") in said(), "an answer to the password")
        sim.board("uart", "set", "-n", "1", "-c", "echo 'from the console' > /tmp/c; hostname")
        sim.until(lambda: "\nrk1-1\n" in said(), "a shell on the console")
        text = sim.board("uart", "get", "-n", "1")
        check("the console", "Login incorrect" in text and "secret" not in text and "wrong" not in text, text[-600:])
        result = sim.ssh("cat /tmp/c", checking="accept-new")
        check("one world", result.stdout == "from the console\n", result)
        ask = os.path.join(sim.dir, "ask")
        with open(ask, "w") as f:
            f.write("#!/bin/sh\necho $PASSWORD\n")
        os.chmod(ask, 0o700)
        for password, code in [("secret", 0), ("1234", 255)]:
            env = dict(sim.env, SSH_ASKPASS=ask, SSH_ASKPASS_REQUIRE="force", PASSWORD=password)
            result = subprocess.run(["ssh", "-F", "none", "-p", sim.ports[1], "-o", "PubkeyAuthentication=no", "-o", f"UserKnownHostsFile={sim.known}", "-o",
                                     "NumberOfPasswordPrompts=1", f"{sim.user}@127.0.0.1", "true"], env=env, capture_output=True, text=True,
                                    stdin=subprocess.DEVNULL, timeout=120)
            check(f"password {password}", result.returncode == code, (result.returncode, result.stderr))


def wrong_flags():
    with tempfile.TemporaryDirectory() as empty:
        key = os.path.join(empty, "k")
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True, stdin=subprocess.DEVNULL)
        for flags, text in [(["--ssh", "dropbear"], "own, openssh and off are"), (["--authorized-keys", key], "is a private key"),
                            (["--authorized-keys", "/none"], "cannot read /none"), (["--ssh-listen", "127.0.0.1:65535"], "no port for each slot")]:
            result = subprocess.run([K1S, "board", "sim", "--listen", "127.0.0.1:0", *flags], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                                    timeout=60)
            check(f"error of {flags}", result.returncode == 1 and text in result.stderr, result)
        if not any(os.path.exists(f"{d}/sshd") for d in ["/usr/sbin", "/usr/local/sbin"]):
            result = subprocess.run([K1S, "board", "sim", "--listen", "127.0.0.1:0", "--ssh", "openssh"], capture_output=True, text=True,
                                    stdin=subprocess.DEVNULL, timeout=60, env=dict(os.environ, PATH=empty))
            check("no sshd", result.returncode == 1 and "openssh-server" in result.stderr, result)


parts = [(life, "own"), (console,), (wrong_flags,)]
sshd = any(os.path.exists(os.path.join(d, "sshd")) for d in [arguments.sshd, "/usr/sbin", "/usr/local/sbin", *os.get_exec_path()] if d)
if sshd:
    parts.insert(1, (life, "openssh"))
for part, *of in parts:
    begun = time.monotonic()
    part(*of)
    print(f"{part.__name__} {' '.join(of)}: {time.monotonic() - begun:.0f} s", flush=True)
print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0)
