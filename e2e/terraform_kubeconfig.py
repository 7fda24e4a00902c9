# SPDX-License-Identifier: Apache-2.0
"""A kubeconfig that no state holds, under a real command line: a module is flashed, boots, gets K3s over SSH with OpenSSH's client, and
its kubeconfig is read, behind the simulator's own SSH server and behind Debian's sshd."""
import base64, getpass, hashlib, json, os, re, shutil, subprocess, time, zipfile

from terraform_cli import Board, check, head

USER = getpass.getuser()


class Module:
    """A board whose first module lets this user in by key."""

    def __init__(self, cli, k1s, mode, sshd):
        self.dir = os.path.join(cli.dir, "kubeconfig-" + mode)
        os.makedirs(self.dir)
        self.key = self.file("key")
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key], check=True, stdin=subprocess.DEVNULL)
        path = os.pathsep.join(filter(None, [sshd, os.environ.get("PATH", "")]))
        self.board = Board(k1s, self.dir, "--speed", "100", "--emmc-mib-per-second", "0", "--ssh", mode, "--authorized-keys",
                           self.key + ".pub", env=dict(os.environ, PATH=path))
        self.port = re.search(r"ssh -p (\d+)", self.board.process.stdout.readline())[1]
        with open(self.file("image.raw"), "wb") as f:
            f.write(f"os: Testix 1.0\nuser: {USER}\npassword: secret-word\n".encode() + b"\xff" + os.urandom(10_000))

    def file(self, name):
        return os.path.join(self.dir, name)

    def variables(self):
        return [f"-var={n}={v}" for n, v in dict(image=self.file("image.raw"), host="127.0.0.1", ssh_port=self.port, ssh_user=USER,
                                                 ssh_key_file=self.key, known_hosts_file=self.file("known_hosts"),
                                                 kubeconfig_file=self.file("kubeconfig")).items()]


def run(cli, k1s, what, tofu, number, sshd):
    if number < ((1, 11, 0) if tofu else (1, 10, 0)):
        return
    usual = cli.board, cli.env
    has_sshd = any(os.path.exists(os.path.join(d, "sshd")) for d in [sshd, "/usr/sbin", "/usr/local/sbin", *os.get_exec_path()] if d)
    for mode in ["own"] + (["openssh"] if has_sshd else []):
        module = Module(cli, k1s, mode, sshd)
        cli.board, cli.env = module.board, dict(usual[1], TURINGPI_ENDPOINT=module.board.url)
        try:
            whole_path(cli, k1s, f"{what}, {mode}", module)
            if number >= (1, 11, 0):
                by_a_module(cli, f"{what}, {mode}", module)
            logins(cli, f"{what}, {mode}", module)
            provisioners(cli, f"{what}, {mode}", module)
            refusals(cli, f"{what}, {mode}", module)
        finally:
            module.board.stop()
            cli.forget()
            cli.board, cli.env = usual


def held(cli, *logs):
    """All that the command line keeps: states, plans with what is in them, logs."""
    texts = []
    for dir, _, names in os.walk(cli.work):
        for name in names:
            path = os.path.join(dir, name)
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as plan:
                    texts += [(f"{name}/{n}", plan.read(n)) for n in plan.namelist()]
            texts.append((name, open(path, "rb").read()))
    return texts + [(log, open(log, "rb").read()) for log in logs]


def pieces(pem):
    """Each line of a key."""
    return [line.encode() for line in pem.splitlines() if len(line) > 16 and "-----" not in line]


def whole_path(cli, k1s, what, module):
    cli.example("kubeconfig")
    log = module.file("log")
    env = dict(cli.env, TF_LOG="TRACE", TF_LOG_PROVIDER="TRACE", TF_LOG_PATH=log)
    variables = module.variables()
    code, out = cli.run("plan", "-out=first", *variables, env=env)
    check(f"{what}: a plan before there is a module", code == 0 and "to add" in out, out)
    code, applied = cli.run("apply", "-auto-approve", "first", env=env, timeout=300)
    check(f"{what}: from an image to a kubeconfig in one apply", code == 0, applied)
    path = module.file("kubeconfig")
    if not os.path.exists(path):
        return check(f"{what}: a kubeconfig", False, applied)
    check(f"{what}: its file is its owner's", os.stat(path).st_mode & 0o777 == 0o600)
    seen = subprocess.run([k1s, "config", "view", "--kubeconfig", path, "--raw", "-o", "json"], capture_output=True, text=True)
    view = json.loads(seen.stdout or "{}")
    named = [view.get("current-context")] + [one["name"] for part in ("clusters", "users", "contexts") for one in view.get(part) or []]
    check(f"{what}: it is one, with a context of its own", named == ["home"] * 4, seen.stdout + seen.stderr)
    check(f"{what}: for this machine", (view.get("clusters") or [{}])[0].get("cluster", {}).get("server") == "https://127.0.0.1:6443", named)
    user = (view.get("users") or [{}])[0].get("user", {})
    data = user.get("client-key-data", "")
    key = base64.b64decode(data).decode()
    check(f"{what}: with a key", key.startswith("-----BEGIN PRIVATE KEY-----"), key[:30])
    code, again = cli.run("plan", "-detailed-exitcode", "-out=second", *variables, env=env)
    check(f"{what}: the second plan is empty", code == 0, again)
    kept = held(cli, log)
    check(f"{what}: something is kept", any(b"turingpi_node" in t for n, t in kept if n == "terraform.tfstate") and len(kept[-1][1]) > 10_000)
    secrets = [data.encode(), *pieces(key), *pieces(open(module.key).read())]
    for name, text in kept + [("output", (out + applied + again).encode())]:
        # in any row of 24 letters of it
        found = [s for secret in secrets for s in (secret[i:i + 24] for i in range(0, max(1, len(secret) - 23), 12)) if s in text]
        check(f"{what}: no piece of a key in {name}", not found, found[:1])


def module_of(module, more=""):
    return """
ephemeral "turingpi_kubeconfig" "x" {
  host                 = "127.0.0.1"
  ssh_port             = %s
  ssh_user             = "%s"
  ssh_key              = file("%s")
  ssh_known_hosts_file = "%s"
%s}
""" % (module.port, USER, module.key, module.file("known_hosts"), more)


def by_a_module(cli, what, module):
    """Out of a module as an ephemeral output, and into an attribute that is written and not kept."""
    inner = os.path.join(cli.work, "inner")
    os.makedirs(inner, exist_ok=True)
    with open(os.path.join(inner, "main.tf"), "w") as f:
        f.write('terraform {\n  required_providers {\n    turingpi = { source = "example.com/k1s/turingpi" }\n  }\n}\n'
                + module_of(module, '  context = "home"\n  lifecycle {\n    postcondition {\n      condition     = self.api_endpoint == "https://127.0.0.1:6443" && '
                            'self.client_key == provider::turingpi::parse_kubeconfig(self.kubeconfig).client_key\n'
                            '      error_message = "not what it should be"\n    }\n  }\n')
                + 'output "kubeconfig" {\n  value     = ephemeral.turingpi_kubeconfig.x.kubeconfig\n  ephemeral = true\n}\n')
    cli.write(head(module.board) + 'module "cluster" {\n  source = "./inner"\n}\nresource "turingpi_uart" "x" {\n  node = 1\n'
              '  command_wo = "sum ${sha256(module.cluster.kubeconfig)}"\n  command_wo_version = 1\n}\n')
    code, out = cli.run("get")
    check(f"{what}: a module", code == 0, out)
    code, out = cli.run("apply", "-auto-approve")
    check(f"{what}: an ephemeral output of a module", code == 0, out)
    expected = hashlib.sha256(open(module.file("kubeconfig"), "rb").read()).hexdigest()
    said = json.dumps(module.board.call("opt=get&type=uart&node=0"))
    check(f"{what}: the whole value comes to where it is written", expected in said, said[-300:])


def logins(cli, what, module):
    """An agent, a key with a passphrase, and the user's own known_hosts."""
    home, socket = module.file("home"), module.file("agent")
    os.makedirs(os.path.join(home, ".ssh"))
    shutil.copy(module.file("known_hosts"), os.path.join(home, ".ssh", "known_hosts"))
    locked = module.file("locked")
    shutil.copy(module.key, locked)
    subprocess.run(["ssh-keygen", "-q", "-p", "-f", locked, "-N", "open sesame"], check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL)
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL)
    try:
        env = dict(cli.env, HOME=home, SSH_AUTH_SOCK=socket)
        end = time.monotonic() + 60
        while subprocess.run(["ssh-add", "-q", module.key], env=env, stderr=subprocess.DEVNULL).returncode and time.monotonic() < end:
            time.sleep(0.05)
        text = re.sub(r"  ssh_(key|known_hosts_file) +=.*\n", "", module_of(module))
        passphrase = '  ssh_key = file("%s")\n  ssh_key_passphrase = "open sesame"\n}\n' % locked
        for name, config in [("an agent, and ~/.ssh/known_hosts", text), ("a key with a passphrase", text.rstrip("}\n") + "\n" + passphrase)]:
            cli.write(head(module.board) + config)
            code, out = cli.run("plan", env=env)
            check(f"{what}: {name}", code == 0, out)
        cli.write(head(module.board) + text)
        code, out = cli.run("plan", env=dict(env, SSH_AUTH_SOCK=""))
        check(f"{what}: nothing to log in with", code != 0 and "ssh_password" in out, out)
    finally:
        agent.terminate()
        agent.wait()


def provisioners(cli, what, module):
    """The command line's own way into a module: files and commands over SSH."""
    os.makedirs(os.path.join(cli.work, "tree", "sub"), exist_ok=True)
    with open(os.path.join(cli.work, "tree", "sub", "name"), "w") as f:
        f.write("deep\n")
    blob = os.urandom(100_000)
    with open(os.path.join(cli.work, "blob"), "wb") as f:
        f.write(blob)
    cli.forget()
    cli.write("""
resource "terraform_data" "x" {
  connection {
    host        = "127.0.0.1"
    port        = %s
    user        = "%s"
    private_key = file("%s")
    timeout     = "1m"
  }
  provisioner "file" {
    source      = "blob"
    destination = "/tmp/blob"
  }
  provisioner "file" {
    source      = "tree"
    destination = "/tmp"
  }
  provisioner "file" {
    content     = "node-name: cp1\\n"
    destination = "/tmp/config.yaml"
  }
  provisioner "remote-exec" {
    inline = ["sha256sum /tmp/blob", "cat /tmp/tree/sub/name /tmp/config.yaml", "sudo systemctl is-active k3s"]
  }
}
""" % (module.port, USER, module.key))
    code, out = cli.run("apply", "-auto-approve")
    ok = code == 0 and all(t in out for t in (hashlib.sha256(blob).hexdigest(), "deep", "node-name: cp1", "active"))
    check(f"{what}: provisioners", ok, out)
    cli.forget()


def refusals(cli, what, module):
    def refused(name, more, *words):
        cli.write(head(module.board) + module_of(module, more))
        code, out = cli.run("plan")
        plain = re.sub(r"[\s│╷╵]+", " ", out)
        check(f"{what}: {name}", code != 0 and all(word in plain for word in words) and "hunter2" not in out, out)

    refused("no such file", '  path = "/etc/rancher/none"\n', "has no file /etc/rancher/none", "wait = true")
    refused("a wait that ends", '  path = "/etc/rancher/none"\n  wait = true\n  timeout = 2\n', "within 2 s")
    cli.write(head(module.board) + re.sub(r"  ssh_key +=.*\n", '  ssh_password = "hunter2"\n', module_of(module)))
    code, out = cli.run("plan")
    check(f"{what}: a wrong password", code != 0 and "does not let" in out and "hunter2" not in out, out)
    known = module.file("known_hosts")
    kept = open(known).read()
    public = open(module.key + ".pub").read().split()
    with open(known, "w") as f:
        f.write(f"[127.0.0.1]:{module.port} {public[0]} {public[1]}\n")
    refused("a host key that changed", "", "another key of this host", "ssh-keygen -R")
    with open(known, "w") as f:
        f.write(kept)
    module.board.call("opt=set&type=power&node1=0")
    refused("a module that is off", "", "cannot be reached", f"127.0.0.1:{module.port}")
