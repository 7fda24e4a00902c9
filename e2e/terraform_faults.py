# SPDX-License-Identifier: Apache-2.0
"""What goes wrong under a real command line: Ctrl-C, secrets in logs, two processes on one board."""
import os, re, signal, subprocess, time

from terraform_cli import Board, check, head


def interrupt(cli, what, k1s):
    """Ctrl-C while an image is written: it ends on the board, too, and the next apply writes it."""
    slow = Board(k1s, os.path.join(cli.dir, "slow"), "--speed", "1", "--emmc-mib-per-second", "1")
    try:
        image = os.path.join(cli.dir, "big.img")
        open(image, "wb").write(b"os: Testix 1.0\n" + os.urandom(40_000_000))
        text = head(slow, '  endpoint = "%s"\n' % slow.url) + 'resource "turingpi_flash" "x" {\n  node = 1\n  firmware_file = "%s"\n  skip_crc = true\n}\n'
        cli.write(text % image)
        process = subprocess.Popen(cli.command(["apply", "-auto-approve"]), cwd=cli.work, env=cli.env, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
        while process.poll() is None and "Transferring" not in flash_state(slow):
            time.sleep(0.1)
        # as a terminal does: the provider gets it as well
        os.killpg(process.pid, signal.SIGINT)
        try:
            out, _ = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, _ = process.communicate()
            out += "\nit did not end"
        check(f"{what}: Ctrl-C ends an apply", process.returncode != 0 and "stopped" in out, out)
        check(f"{what}: and the transfer on the board", "cancelled" in flash_state(slow), flash_state(slow))
        check(f"{what}: and leaves no resource that is none", not cli.state()["resources"], cli.state())
        open(image, "wb").write(b"os: Testix 1.0\n" + os.urandom(100_000))
        code, out = cli.run("apply", "-auto-approve")
        check(f"{what}: the next apply writes it", code == 0 and "1 added" in out, out)
        cli.run("destroy", "-auto-approve")
    finally:
        slow.stop()


def flash_state(board):
    return str(board.call("opt=get&type=flash"))


def secrets(cli, board, what, tofu, number):
    """At the most talkative, nothing secret is said: neither the password nor a token, nor what is written once."""
    writes = not tofu and number >= (1, 11, 0)
    typed = "correct-horse-battery"
    text = head(board, '  username = "root"\n  password = "turing"\n') + """
resource "turingpi_power" "x" {
  node  = 1
  state = "on"
}
data "turingpi_info" "x" {}
"""
    uart = 'resource "turingpi_uart" "x" {\n  node = 1\n  command_wo = "%s"\n  command_wo_version = 1\n}\n' % typed
    cli.write(text + (uart if writes else ""))
    env = dict(cli.env, TF_LOG_PROVIDER="TRACE", TF_LOG="TRACE", TF_LOG_PATH=os.path.join(cli.dir, "log"))
    code, out = cli.run("plan", "-out=saved", env=env)
    check(f"{what}: plan with logs", code == 0, out)
    code, more = cli.run("apply", "-auto-approve", "saved", env=env)
    check(f"{what}: apply with logs", code == 0, more)
    log = open(os.path.join(cli.dir, "log")).read() if os.path.exists(os.path.join(cli.dir, "log")) else ""
    check(f"{what}: there are logs of the provider", "provider.terraform-provider-turingpi" in log, log[-2000:])
    said = out + more + log + str(cli.state())
    password = re.search(r'(?<![\w./@-])turing(?![\w.-])', said)
    check(f"{what}: no password", not password, password and said[max(0, password.start() - 200):password.end() + 100])
    pem = open(board.certificate).read()
    tokens = [t for t in re.findall(r"(?<![A-Za-z0-9+/])[A-Za-z0-9]{64}(?![A-Za-z0-9+/=])", said)
              if t not in pem and not re.fullmatch(r"[0-9a-f]+", t)]
    check(f"{what}: no token", not tokens, tokens)
    check(f"{what}: nothing that was typed in secret", typed not in said)
    if writes:
        saved = subprocess.run(["unzip", "-p", os.path.join(cli.work, "saved")], capture_output=True).stdout
        check(f"{what}: nor in the plan file", typed.encode() not in saved.replace(uart.encode(), b"").split(b"tfconfig")[0])
    cli.run("destroy", "-auto-approve")
    if not writes:
        cli.write(head(board) + uart)
        code, out = cli.run("validate")
        wants = "Write-only attributes are not supported" if tofu else ""
        check(f"{what}: who would store it is refused", code != 0 and wants in out, out)


def together(cli, board, what):
    """Two processes on one board: the second waits for the transfer of the first."""
    image = os.path.join(cli.dir, "both.img")
    open(image, "wb").write(b"os: Testix 1.0\n" + os.urandom(3_000_000))
    one = 'resource "turingpi_flash" "x" {\n  node = %d\n  firmware_file = "%s"\n}\n'
    running = []
    home = cli.work
    for node in (1, 2):
        cli.work = os.path.join(cli.dir, f"together{node}")
        os.makedirs(cli.work, exist_ok=True)
        cli.write(head(board) + one % (node, image))
        running.append(subprocess.Popen(cli.command(["apply", "-auto-approve"]), cwd=cli.work, env=cli.env,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
    cli.work = home
    for node, process in enumerate(running, 1):
        out, _ = process.communicate(timeout=120)
        check(f"{what}: two at once, slot {node}", process.returncode == 0, out)


def run(cli, board, what, tofu, number, k1s):
    interrupt(cli, what, k1s)
    secrets(cli, board, what, tofu, number)
    together(cli, board, what)
