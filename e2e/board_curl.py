#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Speaks to a simulated board with curl, as people do who write shell scripts: logins, errors, an image as multipart/form-data.

    board_curl.py --k1s target/debug/k1s

The last line is "N passed, N failed".
"""
import argparse, hashlib, json, os, re, subprocess, sys, tempfile

from terraform_cli import Board, check, results


class Curl:
    def __init__(self, board):
        self.board, self.token = board, None

    def __call__(self, path, *flags, trust=True):
        """Exit code, HTTP status, headers and body."""
        command = ["curl", "--silent", "--show-error", "--max-time", "60", "--include", self.board.url + "/api/bmc" + path, *flags]
        if trust and self.board.url.startswith("https"):
            command += ["--cacert", self.board.certificate]
        if self.token:
            command += ["--header", "Authorization: Bearer " + self.token]
        done = subprocess.run(command, capture_output=True, text=True)
        head, _, body = done.stdout.replace("\r\n", "\n").partition("\n\n")
        while head.startswith("HTTP/1.1 100"):
            head, _, body = body.partition("\n\n")
        status = re.match(r"HTTP/1\.1 (\d+)", head)
        return done.returncode, int(status.group(1)) if status else 0, head.lower(), body

    def result(self, query):
        answer = json.loads(self("?" + query)[3])["response"][0]
        return answer.get("result", answer)


def secure(k1s, dir, firmware):
    board = Board(k1s, os.path.join(dir, firmware), "--firmware", firmware, "--speed", "100", "--emmc-mib-per-second", "0",
                  "--modules", "rk1,rk1,rk1,empty")
    curl, what = Curl(board), f"firmware {firmware}"
    try:
        code, *_ = curl("?opt=get&type=power", trust=False)
        check(f"{what}: an unknown certificate ends it", code == 60, code)
        _, status, head, body = curl("?opt=get&type=power")
        check(f"{what}: no login", status == 401 and "www-authenticate: basic" in head, head + body)
        wrong = json.dumps({"username": "root", "password": "x"})
        _, status, _, body = curl("/authenticate", "--data", wrong)
        check(f"{what}: a wrong password", status == 403 and body == "credentials incorrect", body)
        login = json.dumps({"username": "root", "password": "turing"})
        _, status, head, body = curl("/authenticate", "--data", login)
        curl.token = json.loads(body)["id"]
        check(f"{what}: a login", status == 200 and len(curl.token) == 64 and "x-auth-token" in head, body)
        check(f"{what}: set", curl.result("opt=set&type=power&node1=1&node3=1") == "ok")
        check(f"{what}: get", curl.result("opt=get&type=power") == [{"node1": "1", "node2": "0", "node3": "1", "node4": "0"}])
        _, status, _, body = curl("?opt=set&type=reset&node=4")
        check(f"{what}: a slot that is none", status == 400 and "out of range 0..3" in body, body)
        _, status, _, body = curl("?opt=get&type=nothing")
        check(f"{what}: a type that is none", status == 400 and "Invalid `type` parameter nothing" in body, body)
        code, status, _, _ = curl("?opt=set&type=usb&node=0&mode=3")
        check(f"{what}: a mode that makes the daemon panic", code == 52 and status == 0, (code, status))
        flash(curl, board, dir, what)
    finally:
        board.stop()


def flash(curl, board, dir, what):
    image = os.path.join(dir, "image.img")
    content = b"os: Testix 1.0\n" + os.urandom(500_000)
    open(image, "wb").write(content)
    start = f"?opt=set&type=flash&node=1&file=image.img&length={len(content)}&sha256={hashlib.sha256(content).hexdigest()}"
    handle = json.loads(curl(start)[3])["handle"]
    _, status, _, body = curl(f"/upload/{handle}", "--form", f"file=@{image};type=application/octet-stream")
    check(f"{what}: an upload", status == 200 and body == "", body)
    while "Transferring" in (state := curl("?opt=get&type=flash")[3]):
        pass
    check(f"{what}: it is written", json.loads(state).get("Done", [0, 0])[1] == len(content), state)
    handle = json.loads(curl(start.replace(f"length={len(content)}", "length=1000"))[3])["handle"]
    code, status, _, body = curl(f"/upload/{handle}", "--form", f"file=@{image}")
    if what.endswith("2.0.5"):
        check(f"{what}: more than was announced is not noticed", status == 200, (code, status, body))
    else:
        check(f"{what}: more than was announced makes the daemon panic", status == 0 and code != 0, (code, status, body))
    while "Transferring" in curl("?opt=get&type=flash")[3]:
        pass
    # refused before it was read: whether curl sees the answer or the end of the connection first is a race
    code, status, _, body = curl(f"/upload/{handle}", "--form", "file=x")
    refused = status == 500 and "cannot execute command" in body
    check(f"{what}: an upload that nobody waits for", refused or code in (55, 56), (code, status, body))
    handle = json.loads(curl(start.replace("node=1", "node=3"))[3])["handle"]
    curl(f"/upload/{handle}", "--form", f"file=@{image}")
    while "Transferring" in (state := curl("?opt=get&type=flash")[3]):
        pass
    check(f"{what}: an empty slot", "USB interface not found" in state, state)


def plain(k1s, dir):
    board = Board(k1s, os.path.join(dir, "plain"), "--firmware", "1.1", "--speed", "100")
    try:
        curl = Curl(board)
        check("firmware 1.1: set without a login", curl.result("opt=set&type=power&node2=1") == "ok")
        check("firmware 1.1: get", curl.result("opt=get&type=power") == {"node1": 0, "node2": 1, "node3": 0, "node4": 0})
    finally:
        board.stop()


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--k1s", required=True)
    k1s = os.path.abspath(ap.parse_args().k1s)
    with tempfile.TemporaryDirectory() as dir:
        for firmware in ("2.0.5", "2.1.0", "2.3.7"):
            secure(k1s, dir, firmware)
        plain(k1s, dir)
    print("{passed} passed, {failed} failed".format(**results))
    sys.exit(1 if results["failed"] else 0)


if __name__ == "__main__":
    main()
