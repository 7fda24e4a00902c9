# SPDX-License-Identifier: Apache-2.0
"""From jfreed-dev/turingpi: its state files, by another provider in them and by moved blocks. Nothing may happen to the board."""
import json, os

from terraform_cli import ADDRESS, check, head

AT = "2026-01-25T10:00:00Z"
# what SDK v2 keeps of a resource with a timeouts block
TIMEOUTS = "eyJlMmJmYjczMC1lY2FhLTExZTYtOGY4OC0zNDM2M2JjN2M0YzAiOnsiY3JlYXRlIjoxODAwMDAwMDAwMDAwfX0="


def resources(image):
    """Type, arguments, and what else its state has."""
    return [
        ("power", {"node": 1, "state": "on"}, {"current_state": True, "id": "power-node-1"}),
        ("flash", {"node": 2, "firmware_file": image}, {"id": "flash-node-2", "timeouts": None}),
        ("node", {"node": 1, "firmware_file": image, "boot_check": True},
         {"id": "node-1", "power_state": "on", "login_prompt_timeout": 60, "boot_check_pattern": "login:"}),
        ("usb", {"node": 1, "mode": "host"},
         {"id": "usb-node-1", "route": "usb-a", "current_mode": "Host", "current_node": 1, "current_route": "AlternativePort"}),
        ("network_reset", {"triggers": {"a": "1"}}, {"id": "network-reset", "last_reset": AT}),
        ("bmc_firmware", {"firmware_file": "x.swu"},
         {"id": "bmc-firmware", "bmc_local": False, "timeout": 300, "triggers": None, "last_upgrade": AT, "previous_version": ""}),
        ("uart", {"node": 1, "command": "reboot"}, {"id": "uart-write-node-1", "triggers": None, "last_sent": AT}),
        ("bmc_reboot", {}, {"id": "bmc-reboot", "triggers": None, "wait_for_ready": True, "ready_timeout": 120, "last_reboot": AT}),
        ("bmc_reload", {}, {"id": "bmc-reload", "triggers": None, "wait_for_ready": True, "ready_timeout": 30, "last_reload": AT}),
        ("usb_boot", {"node": 3}, {"id": "usb-boot-node-3", "triggers": None, "last_enabled": AT}),
        ("clear_usb_boot", {"node": 3}, {"id": "clear-usb-boot-node-3", "triggers": None, "last_cleared": AT}),
        ("node_to_msd", {"node": 3}, {"id": "node-to-msd-3", "triggers": None, "last_triggered": AT}),
    ]


def state(cli, image, host):
    written = []
    for kind, arguments, more in resources(image):
        instance = {"schema_version": 0, "attributes": {**arguments, **more}, "sensitive_attributes": []}
        instance["private"] = TIMEOUTS if kind == "flash" else "bnVsbA=="
        written.append({"mode": "managed", "type": "turingpi_" + kind, "name": "old",
                        "provider": f'provider["{host}/jfreed-dev/turingpi"]', "instances": [instance]})
    whole = {"version": 4, "terraform_version": "1.5.7", "serial": 7, "lineage": "3f1c1d5e-0000-4000-8000-000000000000",
             "outputs": {}, "resources": written, "check_results": None}
    cli.forget()
    json.dump(whole, open(os.path.join(cli.work, "terraform.tfstate"), "w"))


def configuration(image, name):
    def value(v):
        return "{ a = \"1\" }" if isinstance(v, dict) else json.dumps(v)
    return "".join('resource "turingpi_%s" "%s" {\n%s}\n' % (kind, name, "".join(f"  {k} = {value(v)}\n" for k, v in arguments.items()))
                   for kind, arguments, _ in resources(image))


def settled(cli, board, what, before):
    code, out = cli.run("plan", "-detailed-exitcode")
    flat = " ".join(out.split())
    check(f"{what}: nothing is made and nothing goes", code in (0, 2) and "0 to add" in flat and "0 to destroy" in flat, out)
    check(f"{what}: images alone are taken over, in place", "2 to change" in flat, out)
    code, out = cli.run("apply", "-auto-approve")
    check(f"{what}: apply", code == 0, out)
    check(f"{what}: nothing happened to the board", board.power() == before, board.power())
    code, out = cli.run("plan", "-detailed-exitcode")
    check(f"{what}: the plan after it is empty", code == 0, out)
    cli.forget()


def run(cli, board, what, tofu, number):
    image = os.path.join(cli.dir, "old.img")
    open(image, "wb").write(b"os: Testix 1.0\n" + os.urandom(10_000))
    board.call("opt=set&type=power&node1=1&node2=0&node3=0&node4=0")
    board.call("opt=set&type=usb&node=0&mode=0")
    host = "registry.opentofu.org" if tofu else "registry.terraform.io"
    before = board.power()
    cli.write(head(board) + configuration(image, "old"))
    state(cli, image, host)
    code, out = cli.run("state", "replace-provider", "-auto-approve", f"{host}/jfreed-dev/turingpi", ADDRESS)
    check(f"{what}: replace-provider", code == 0, out)
    settled(cli, board, f"{what}, replace-provider", before)
    if not tofu and number >= (1, 8, 0):
        moves = "".join("moved {\n  from = turingpi_%s.old\n  to = turingpi_%s.new\n}\n" % (kind, kind) for kind, _, _ in resources(image))
        cli.write(head(board) + configuration(image, "new") + moves)
        state(cli, image, host)
        settled(cli, board, f"{what}, moved", before)
