#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Puts the store where it cannot be well: a full disk, a read-only one, files damaged, too new, or open to others.

    bad_disk.py K1S

Each must end in a clear error, and nothing that was acknowledged may be lost, nothing that was refused be there. Disks
of a few megabytes need root; without it the size of files is limited instead. Python's standard library is all it needs.
"""
import http.client, json, os, random, re, resource, shutil, signal, subprocess, sys, tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import wire

K1S = os.path.abspath(sys.argv[1])
MAPS = "/api/v1/namespaces/default/configmaps"
JSON = {"Content-Type": "application/json"}
passed = failed = 0


def judge(what, ok, got=""):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print(f"FAILED {what}: {got}")


def k1s(*arguments, **more):
    """Exit code, stdout, stderr."""
    done = subprocess.run([K1S, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, **more)
    return done.returncode, done.stdout, done.stderr


def refused(what, done, *words):
    code, out, err = done
    judge(what, code == 1 and not out and err.startswith(("error: ", "Error from server"))
          and all(re.search(w, err) for w in words) and "panicked" not in err, f"exit {code}, {out!r}, {err!r}, expected {words}")


class Server:
    """`k1s serve` on a data directory."""

    def __init__(self, data, file_bytes=None):
        self.kubeconfig = os.path.join(scratch, f"kc-{random.random()}.yaml")

        def limit():
            # the failure shall be an error, not a signal
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))

        self.process = subprocess.Popen(
            [K1S, "serve", "--listen", "127.0.0.1:0", "--data-dir", data, "--write-kubeconfig", self.kubeconfig],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=limit if file_bytes else None)
        self.line = self.process.stdout.readline()
        if self.line:
            config = k1s("config", "view", "--kubeconfig", self.kubeconfig, "--raw", "--minify", "-o", "json")[1]
            with open(self.kubeconfig + ".json", "w") as f:
                f.write(config)
            self.api = wire.Server(self.kubeconfig + ".json")

    def create(self, name, size):
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"k": "x" * size}}
        status, _, data = self.api.ask("POST", MAPS, JSON, json.dumps(body).encode(), timeout=30)
        return status, json.loads(data)

    def names(self):
        status, _, data = self.api.ask("GET", MAPS, timeout=30)
        items = json.loads(data)["items"]
        return {m["metadata"]["name"]: len(m.get("data", {}).get("k", "")) for m in items}

    def stop(self):
        self.process.terminate()
        out, err = self.process.communicate(timeout=30)
        judge("no panic", "panicked" not in err, err)
        return self.process.returncode


def mount(path, *options):
    os.makedirs(path, exist_ok=True)
    done = subprocess.run(["mount", *options, path], capture_output=True, text=True)
    return done.returncode == 0


def fill(server):
    """Creates objects until that fails, large ones first; gives those acknowledged and those refused."""
    kept, gone, status, answer = {}, set(), None, None
    for number, size in enumerate([200_000] * 200 + [1_000] * 200):
        if gone and size > 1_000:
            continue
        name = f"c{number}"
        status, answer = server.create(name, size)
        if status == 201:
            kept[name] = size
        else:
            gone.add(name)
            told = answer.get("message", "")
            judge("a full disk is said", answer.get("kind") == "Status" and status >= 500
                  and ("full" in told.lower() or "space" in told.lower() or "large" in told.lower()), f"{status} {answer}")
            if size == 1_000 or len(gone) > 3:
                break
    return kept, gone


def full_disk(with_root):
    data = os.path.join(scratch, "small")
    if with_root:
        judge("a small disk", mount(data, "-t", "tmpfs", "-o", "size=6m,mode=700", "tmpfs"))
        server = Server(data)
    else:
        server = Server(data, file_bytes=6 << 20)
    judge("serves", server.line.startswith("k1s serving on"), server.line)
    kept, gone = fill(server)
    judge("some were kept and some refused", len(kept) > 5 and gone, f"{len(kept)} kept, {len(gone)} refused")
    status = server.api.ask("GET", MAPS + "/c0")[0]
    judge("reads go on", status == 200, status)

    def compare(what, found):
        found.pop("kube-root-ca.crt", None)
        judge(what, found == kept, f"lost {sorted(kept.keys() - found.keys())}, unexpected {sorted(found.keys() - kept.keys())}")

    compare("what was acknowledged is there, and only that", server.names())
    server.process.kill()
    server.process.communicate()
    if with_root:
        judge("a larger disk", mount(data, "-o", "remount,size=64m"))
    server = Server(data)
    compare("after a restart, too", server.names())
    status, answer = server.create("after", 200_000)
    judge("with room it is written again", status == 201, answer)
    judge("stops", server.stop() == 0)
    code, out, err = k1s("--data-dir", data, "store", "check")
    judge("the store is sound", code == 0 and "sound" in out, out + err)


def read_only(with_root):
    data = os.path.join(scratch, "readonly")
    if with_root:
        judge("a disk", mount(data, "-t", "tmpfs", "-o", "size=16m,mode=700", "tmpfs"))
    judge("filled", k1s("--data-dir", data, "create", "configmap", "a", "--from-literal=k=v")[0] == 0)
    if with_root:
        judge("a read-only disk", mount(data, "-o", "remount,ro"))
    else:
        for path in [data, os.path.join(data, "store")]:
            os.chmod(path, 0o500)
    refused("create on a read-only disk", k1s("--data-dir", data, "create", "configmap", "b"), data, "(?i)read-only|permission|cannot be written")
    server = Server(data)
    judge("serve on a read-only disk", not server.line, server.line)
    err = server.process.communicate(timeout=10)[1]
    judge("and says so", err.startswith("error: ") and data in err and "panicked" not in err, err)
    refused("a new store on a read-only disk", k1s("--data-dir", os.path.join(data, "new"), "get", "pods"), "new")
    if with_root:
        mount(data, "-o", "remount,rw")
    else:
        for path in [data, os.path.join(data, "store")]:
            os.chmod(path, 0o700)
    code, out, err = k1s("--data-dir", data, "get", "configmap", "a", "-o", "name")
    judge("nothing was lost", out == "configmap/a\n", out + err)


def store_with(name, count=30):
    """A data directory with some objects, and the path of its file."""
    data = os.path.join(scratch, name)
    manifest = "\n---\n".join(
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{n}}}\ndata: {{k: {'marker-%d-' % n + 'x' * 500}}}" for n in range(count))
    done = subprocess.run([K1S, "--data-dir", data, "create", "-f", "-"], input=manifest, text=True, capture_output=True)
    judge(f"{name}: filled", done.returncode == 0, done.stderr)
    return data, os.path.join(data, "store", "data.mdb")


def change(path, edit):
    with open(path, "rb") as f:
        content = bytearray(f.read())
    content = edit(content)
    with open(path, "r+b") as f:
        f.write(content)
        f.truncate(len(content))


def every_command(what, data, *words):
    refused(f"{what}: get", k1s("--data-dir", data, "get", "configmaps"), *words)
    refused(f"{what}: create", k1s("--data-dir", data, "create", "configmap", "x"), *words)
    refused(f"{what}: store check", k1s("--data-dir", data, "store", "check"), *words)
    server = Server(data)
    err = server.process.communicate(timeout=10)[1] if not server.line else ""
    judge(f"{what}: serve", err.startswith("error: ") and all(re.search(w, err) for w in words), server.line or err)


def damaged():
    def newer(content):
        return content.replace(b"k1s store 2", b"k1s store 9")

    data, path = store_with("newer")
    change(path, newer)
    every_command("a newer format", data, "format 9", "newer|up to 2")

    data, path = store_with("garbage")
    change(path, lambda content: bytearray(random.Random(1).randbytes(len(content))))
    every_command("garbage", data, re.escape(path), "usable store")

    data, path = store_with("cut", 3000)
    change(path, lambda content: content[:len(content) // 2])
    every_command("cut short", data, re.escape(path), "cut short")

    # one value changed by the disk: the object is refused, the others are not, and the check finds it
    data, path = store_with("flipped")
    change(path, lambda content: content.replace(b"marker-7-x", b"marker-7-y"))
    refused("a flipped byte: get", k1s("--data-dir", data, "get", "configmap", "c7"), "(?i)checksum|corrupt|damaged")
    code, out, err = k1s("--data-dir", data, "get", "configmap", "c8", "-o", "name")
    judge("a flipped byte: its neighbour", out == "configmap/c8\n", err)
    code, out, err = k1s("--data-dir", data, "store", "check")
    judge("a flipped byte: store check", code == 1 and "problem: " in out and "c7" in out, out + err)

    # whatever a page holds, each command ends well, and none answers nonsense with success
    for seed in range(24):
        data, path = store_with(f"page-{seed}")
        chance = random.Random(seed)

        def page(content):
            at = chance.randrange(2, len(content) // 4096) * 4096
            content[at:at + 4096] = chance.randbytes(4096)
            return content

        change(path, page)
        code, out, err = k1s("--data-dir", data, "store", "check")
        judge(f"a page of garbage {seed}: store check", code in (0, 1) and "panicked" not in err, f"{code} {out[:300]} {err[:300]}")
        code, out, err = k1s("--data-dir", data, "get", "configmaps", "-o", "name")
        judge(f"a page of garbage {seed}: get", code in (0, 1) and "panicked" not in err
              and (code != 0 or out.count("configmap/c") == 30) and (code == 0 or "error: " in err or "Error from server" in err), f"{code} {out[:300]} {err[:300]}")

    # cut short under a server: it ends, and says why
    data, path = store_with("pulled away")
    server = Server(data)
    judge("serves", server.line.startswith("k1s serving on"), server.line)
    os.truncate(path, 8192)
    try:
        server.names()
    except (OSError, http.client.HTTPException):
        pass  # the connection went with the server
    code = server.process.wait(timeout=30)
    err = server.process.stderr.read()
    judge("a file cut short under a server", code == 1 and err.startswith("error: ") and os.path.dirname(path) in err and "damaged" in err, f"{code} {err}")


def open_to_others():
    data, path = store_with("open")
    server = Server(data)
    judge("serves", server.line.startswith("k1s serving on"), server.line)
    judge("the kubeconfig is private", os.stat(server.kubeconfig).st_mode & 0o777 == 0o600, oct(os.stat(server.kubeconfig).st_mode))
    server.stop()
    for root, _, files in os.walk(data):
        for name in files:
            mode = os.stat(os.path.join(root, name)).st_mode & 0o777
            # a certificate is for everybody, and a lock is empty
            judge(f"{name} is private", mode & 0o077 == 0 or name in ("ca.crt", ".lock"), oct(mode))
    os.chmod(path, 0o644)
    every_command("a store open to others", data, re.escape(path), "open to others", "chmod 600")
    os.chmod(path, 0o600)
    for key in ["ca.key", "sa.key"]:
        key = os.path.join(data, "pki", key)
        os.chmod(key, 0o640)
        server = Server(data)
        err = "" if server.line else server.process.communicate(timeout=10)[1]
        judge(f"{key} open to others", err.startswith("error: ") and key in err and "chmod" in err, server.line or err)
        os.chmod(key, 0o600)


def one_port():
    data = os.path.join(scratch, "port")
    server = Server(data)
    address = re.search(r"127\.0\.0\.1:\d+", server.line).group()
    refused("two servers on one port", k1s("serve", "--memory", "--listen", address), address, "(?i)in use")
    judge("the first serves on", server.create("a", 10)[0] == 201)
    server.stop()


def main():
    with_root = os.geteuid() == 0 and mount(os.path.join(scratch, "try"), "-t", "tmpfs", "-o", "size=1m", "tmpfs")
    if not with_root:
        print("no disk can be mounted here, so a limit on the size of files stands for a full disk, and modes for a read-only one")
    full_disk(with_root)
    if with_root or os.geteuid() != 0:
        read_only(with_root)
    damaged()
    open_to_others()
    one_port()
    print(f"{passed} passed, {failed} failed")


scratch = tempfile.mkdtemp(prefix="k1s-bad-disk-")
try:
    main()
finally:
    for name in ["try", "small", "readonly"]:
        subprocess.run(["umount", os.path.join(scratch, name)], capture_output=True)
    shutil.rmtree(scratch, ignore_errors=True)
sys.exit(1 if failed else 0)
