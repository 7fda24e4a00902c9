# SPDX-License-Identifier: Apache-2.0
"""What people write in configurations: count and for_each, targets, aliases, values that come late, imports and moves."""
import os

from terraform_cli import ADDRESS, Board, check, head


def several(cli, board, what):
    cli.write(head(board) + """
variable "slots" {
  type    = map(string)
  default = { "1" = "on", "2" = "off", "4" = "on" }
}
resource "turingpi_power" "each" {
  for_each = var.slots
  node     = tonumber(each.key)
  state    = each.value
}
resource "turingpi_power" "counted" {
  count = 2
  node  = 3
  state = "on"
}
""")
    code, out = cli.run("apply", "-auto-approve", "-target=turingpi_power.each[\"2\"]")
    check(f"{what}: one target alone", code == 0 and "1 added" in out, out)
    code, out = cli.run("apply", "-auto-approve")
    check(f"{what}: for_each and count", code == 0 and "4 added" in out, out)
    code, out = cli.run("plan", "-detailed-exitcode")
    check(f"{what}: and nothing after it", code == 0, out)
    board.call("opt=set&type=power&node4=0")
    code, out = cli.run("apply", "-auto-approve", "-refresh-only")
    read = next(i for r in cli.state()["resources"] if r["name"] == "each" for i in r["instances"] if i["index_key"] == "4")
    check(f"{what}: -refresh-only takes what is, and switches nothing", code == 0 and read["attributes"]["state"] == "off" and board.power()["node4"] == "0", out)
    code, out = cli.run("apply", "-auto-approve", "-replace=turingpi_power.each[\"1\"]")
    check(f"{what}: -replace", code == 0 and "1 added, 1 changed, 1 destroyed" in out, out)
    code, out = cli.run("destroy", "-auto-approve")
    check(f"{what}: all of it goes", code == 0 and "5 destroyed" in out, out)


def late(cli, board, what, number):
    """Values that are known only after something else was applied."""
    cli.write(head(board) + """
resource "terraform_data" "late" {
  input = { node = 2, state = "on", seed = timestamp() }
}
resource "turingpi_power" "x" {
  node  = terraform_data.late.output.node
  state = terraform_data.late.output.state
}
resource "turingpi_uart" "x" {
  node     = 1
  command  = "echo ${terraform_data.late.id}"
  triggers = { id = terraform_data.late.id }
  lifecycle {
    replace_triggered_by = [turingpi_power.x]
  }
}
data "turingpi_power" "x" {
  depends_on = [turingpi_power.x]
}
output "on" {
  value = data.turingpi_power.x.node2
}
""")
    code, out = cli.run("apply", "-auto-approve")
    check(f"{what}: values that come late", code == 0 and "on = true" in out, out)
    cli.run("destroy", "-auto-approve")
    pem = open(board.certificate).read().strip()
    cli.write('terraform {\n  required_providers {\n    turingpi = { source = "%s" }\n  }\n}\n' % ADDRESS + """
resource "terraform_data" "address" {
  input = { address = "%s", seed = timestamp() }
}
provider "turingpi" {
  endpoint    = terraform_data.address.output.address
  ca_cert_pem = <<-E
%s
  E
}
resource "turingpi_power" "x" {
  node  = 1
  state = "on"
}
""" % (board.url, pem))
    code, out = cli.run("plan")
    check(f"{what}: a board whose address comes late can be planned", code == 0 and "2 to add" in out, out)
    code, out = cli.run("apply", "-auto-approve")
    check(f"{what}: and applied", code == 0 and "2 added" in out, out)
    code, out = cli.run("plan")
    check(f"{what}: and planned again while its address is open", code == 0, out)
    cli.run("destroy", "-auto-approve")


def aliases(cli, board, what, k1s):
    second = Board(k1s, os.path.join(cli.dir, "second"))
    try:
        cli.write(head(board) + """
provider "turingpi" {
  alias       = "second"
  endpoint    = "%s"
  ca_cert_pem = <<-E
%s
  E
}
resource "turingpi_power" "one" {
  node  = 1
  state = "off"
}
resource "turingpi_power" "two" {
  provider = turingpi.second
  node     = 1
  state    = "on"
}
""" % (second.url, open(second.certificate).read().strip()))
        code, out = cli.run("apply", "-auto-approve")
        both = board.power()["node1"], second.power()["node1"]
        check(f"{what}: two boards", code == 0 and both == ("0", "1"), out)
        cli.run("destroy", "-auto-approve")
    finally:
        second.stop()


def blocks(cli, board, what, tofu, number):
    """Import blocks, moves inside a configuration, and a state that forgot."""
    board.call("opt=set&type=power&node2=1")
    one = 'resource "turingpi_power" "%s" {\n  node = 2\n  state = "on"\n}\n'
    if number >= (1, 5, 0):
        cli.write(head(board) + one % "x" + 'import {\n  to = turingpi_power.x\n  id = "power-node-2"\n}\n')
        code, out = cli.run("apply", "-auto-approve")
        check(f"{what}: an import block", code == 0 and "1 imported, 0 added, 0 changed" in out, out)
        cli.run("state", "rm", "turingpi_power.x")
        code, out = cli.run("plan", "-detailed-exitcode")
        check(f"{what}: a state that forgot is imported again", code in (0, 2) and "1 to import, 0 to add, 0 to change" in out, out)
        cli.run("apply", "-auto-approve")
        code, out = cli.run("plan", "-generate-config-out=gen.tf")
        cli.write(head(board) + 'import {\n  to = turingpi_node.x\n  id = "node-2"\n}\n')
        code, out = cli.run("plan", "-generate-config-out=generated.tf")
        path = os.path.join(cli.work, "generated.tf")
        text = open(path).read() if os.path.exists(path) else ""
        check(f"{what}: a configuration is written for an import", code == 0 and "node" in text and '"turingpi_node" "x"' in text, out + text)
        if text:
            code, out = cli.run("validate")
            check(f"{what}: and holds", code == 0, out + text)
    else:
        cli.write(head(board) + one % "x")
        cli.run("import", "turingpi_power.x", "2")
    cli.forget()
    cli.write(head(board) + one % "x")
    cli.run("apply", "-auto-approve")
    cli.write(head(board) + one % "y" + 'moved {\n  from = turingpi_power.x\n  to = turingpi_power.y\n}\n')
    code, out = cli.run("plan", "-detailed-exitcode")
    check(f"{what}: a moved block", code in (0, 2) and "has moved to" in out and "0 to add, 0 to change" in out, out)
    cli.run("apply", "-auto-approve")
    cli.run("destroy", "-auto-approve")


def wrong(cli, board, what):
    for body, text in [
        ('resource "turingpi_power" "x" {\n  node = 9\n  state = "on"\n}', "between 1 and 4"),
        ('resource "turingpi_power" "x" {\n  node = 1\n  state = "maybe"\n}', "must be one of"),
        ('resource "turingpi_power" "x" {\n  node = 1\n}', '"state" is required'),
        ('resource "turingpi_power" "x" {\n  node = "one"\n  state = "on"\n}', "number"),
        ('resource "turingpi_flash" "x" {\n  node = 1\n}', "One of firmware_file"),
        ('resource "turingpi_k3s_cluster" "x" {\n  name = "x"\n}', "turingpi_k3s_cluster"),
    ]:
        cli.write(head(board) + body + "\n")
        code, out = cli.run("validate")
        check(f"{what}: refused: {text}", code != 0 and text in " ".join(out.split()), out)


def configured_by_environment(cli, board, what):
    cli.write('terraform {\n  required_providers {\n    turingpi = { source = "%s" }\n  }\n}\nprovider "turingpi" {\n  username = ""\n}\n' % ADDRESS +
              'data "turingpi_power" "x" {}\n')
    env = dict(cli.env, TURINGPI_INSECURE="true")
    code, out = cli.run("plan", env=env)
    check(f"{what}: all of it from the environment", code == 0 and "Any certificate is taken" in out, out)
    code, out = cli.run("plan")
    check(f"{what}: a certificate that nobody vouches for", code != 0 and "not trusted" in out, out)
    code, out = cli.run("plan", env=dict(cli.env, TURINGPI_INSECURE="perhaps"))
    check(f"{what}: an environment that makes no sense", code != 0 and "must be true or false" in " ".join(out.split()), out)
    code, out = cli.run("plan", env=dict(cli.env, TURINGPI_INSECURE="1", TURINGPI_PASSWORD=""))
    check(f"{what}: half a login", code != 0 and "go together" in " ".join(out.split()), out)


def run(cli, board, what, tofu, number, k1s):
    several(cli, board, what)
    late(cli, board, what, number)
    aliases(cli, board, what, k1s)
    blocks(cli, board, what, tofu, number)
    wrong(cli, board, what)
    configured_by_environment(cli, board, what)
