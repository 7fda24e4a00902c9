#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Commands in the containers of a simulated board, and their ports: kubectl, the Python client and k1s, through the API server.

    e2e/exec.py K1S KUBECTL KUBECONFIG NODE [OTHER-KUBECTL]...

Runs with a Python that has the packages `kubernetes` and `websocket-client`, on a cluster with the board NODE and no pod on it.
The other kubectls are of other versions: before 1.30 they speak SPDY alone. Used by .ci/run. On a kube-apiserver it passes but for
http_through_the_server, for that one calls no address of its own machine.
"""
import contextlib
import http.client
import json
import os
import pty
import select
import signal
import ssl
import subprocess
import sys
import time

import websocket
from kubernetes import client, config
from kubernetes.stream import portforward, stream

k1s, kubectl, kubeconfig, node = sys.argv[1:5]
others = sys.argv[5:]
passed = failed = 0
BOTH = {"kubectl": [kubectl, "--kubeconfig", kubeconfig], "k1s": [k1s, "--kubeconfig", kubeconfig]}
config.load_kube_config(kubeconfig)
core = client.CoreV1Api()


def run(words, text=None):
    done = subprocess.run(words, input=text, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


def kube(*words, text=None):
    code, out, err = run([*BOTH["kubectl"], *words], text)
    assert code == 0, f"{words}: {err or out}"
    return out


def expect(words, expected, text=None):
    """Both command lines say the same, and end with the same code."""
    for name, program in BOTH.items():
        code, out, err = run([*program, *words], text)
        want_code, want_out, want_err = expected
        assert code == want_code, f"{name} {words}: {code}, {err}"
        assert out == want_out, f"{name} {words}: {out!r}"
        assert want_err in err and bool(want_err) == bool(err), f"{name} {words}: {err!r}"


def pods():
    kube("wait", "--for=condition=Ready", f"node/{node}", "--timeout=60s")
    button = {"name": "c", "image": "pico/button:v1", "env": [{"name": "GREETING", "value": "good day"}],
              "resources": {"limits": {"pico.io/gpio-pin": 1}}, "volumeMounts": [{"name": "v", "mountPath": "/etc/cfg"}]}
    spec = {"nodeName": node, "terminationGracePeriodSeconds": 1, "volumes": [{"name": "v", "configMap": {"name": "cfg"}}],
            "containers": [button]}
    absent = {"nodeName": node, "containers": [{"name": "c", "image": "pico/nothing:v1"}]}
    items = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cfg"}, "data": {"colour": "green\n"}},
             {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "it", "annotations": {"pico.io/gpio-pins": "15"}}, "spec": spec},
             {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "absent"}, "spec": absent},
             {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "nobody"}},
             {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "lost"}, "spec": {**absent, "nodeName": "nobody"}}]
    kube("apply", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    kube("wait", "--for=condition=Ready", "pod/it", "--timeout=60s")


def commands_and_their_codes():
    expect(["exec", "it", "--", "env"], (0, "GREETING=good day\n", ""))
    expect(["exec", "it", "-c", "c", "--", "cat", "/etc/cfg/colour"], (0, "green\n", ""))
    expect(["exec", "it", "--", "echo", "a  b", "", "c&d=e", "é"], (0, "a  b  c&d=e é\n", ""))
    expect(["exec", "it", "--", "ls", "nope"], (1, "", "ls: nope: No such file or directory\ncommand terminated with exit code 1\n"))
    expect(["exec", "it", "--", "bash"], (127, "", "bash: command not found"))
    expect(["exec", "it", "--", "sh", "-c", "exit 7"], (7, "", "command terminated with exit code 7\n"))
    expect(["exec", "-i", "it", "--", "sh"], (3, "/etc/cfg/colour\n1\n", "command terminated with exit code 3\n"), "ls\necho 1\nexit 3\n")
    assert "GP15 " in kube("exec", "it", "--", "pins")


def refusals():
    expect(["exec", "it", "-c", "d", "--", "ls"], (1, "", "container d is not valid for pod it"))
    expect(["exec", "none", "--", "ls"], (1, "", "pods \"none\" not found"))
    expect(["exec", "absent", "--", "ls"], (1, "", "unable to upgrade connection: container not found (\"c\"), it does not run"))
    expect(["exec", "lost", "--", "ls"], (1, "", "no preferred addresses found"))
    code, out, err = run([*BOTH["kubectl"], "get", "--raw", "/api/v1/namespaces/default/pods/it/exec?command=ls"])
    assert code == 1 and "Upgrade request required" in err, err
    code, out, err = run([k1s, "exec", "it", "--", "ls"])
    assert code == 1 and "goes through a server" in err, err


def other_versions_of_kubectl():
    for other in others:
        program = [other, "--kubeconfig", kubeconfig, "exec"]
        assert run([*program, "it", "--", "env"]) == (0, "GREETING=good day\n", ""), other
        code, out, err = run([*program, "-i", "it", "--", "sh"], "echo one\nnope\nexit 3\n")
        assert (code, out) == (3, "one\n") and "nope: command not found" in err, (other, code, out, err)
        code, out, err = run([*program, "absent", "--", "ls"])
        assert code == 1 and "it does not run" in err, (other, err)


def a_terminal():
    for name, program in BOTH.items():
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv(program[0], [*program, "exec", "-it", "it", "--", "sh"])
        seen = b""

        def until(end):
            nonlocal seen
            deadline = time.monotonic() + 60
            while end not in seen:
                assert time.monotonic() < deadline, f"{name}: no {end!r} in {seen!r}"
                if select.select([terminal], [], [], 1)[0]:
                    seen += os.read(terminal, 4096)
            before, seen = seen.split(end, 1)
            return before

        until(b"$ ")
        os.write(terminal, b"eco\x7fho 'it works'\r")
        until(b"ho 'it works'\r\nit works\r\n$ ")
        os.write(terminal, b"nonsense\x03")
        until(b"^C\r\n$ ")
        os.write(terminal, b"exit 5\r")
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5, name
        os.close(terminal)


def the_python_client():
    ways = {"stderr": True, "stdin": False, "stdout": True, "tty": False}
    said = stream(core.connect_get_namespaced_pod_exec, "it", "default", command=["env"], **ways)
    assert said == "GREETING=good day\n", said
    ways["stdin"] = True
    shell = stream(core.connect_get_namespaced_pod_exec, "it", "default", command=["sh"], _preload_content=False, **ways)
    shell.write_stdin("echo one\nnope\n")
    assert shell.readline_stdout(timeout=60) == "one"
    assert shell.readline_stderr(timeout=60).startswith("nope: command not found")
    shell.write_stdin("exit 9\n")
    shell.run_forever(timeout=60)
    assert shell.returncode == 9, shell.returncode


def raw(path, protocols):
    """A WebSocket of its own, with the administrator's certificate."""
    setup = core.api_client.configuration
    options = {"cert_reqs": ssl.CERT_REQUIRED, "ca_certs": setup.ssl_ca_cert, "certfile": setup.cert_file, "keyfile": setup.key_file}
    url = setup.host.replace("https:", "wss:") + path
    return websocket.create_connection(url, subprotocols=protocols, sslopt=options, timeout=60)


def version_4_and_broken_clients():
    path = "/api/v1/namespaces/default/pods/it/exec?command=sh&stdin=true&stdout=true&stderr=true"
    socket = raw(path, ["v4.channel.k8s.io"])
    assert socket.getsubprotocol() == "v4.channel.k8s.io"
    socket.send("\0echo four\n")
    frames = [socket.recv(), socket.recv()]
    assert frames == [b"\x01", b"\x01four\n"], frames
    socket.send_binary(b"\xff\0\0exit 2\n")
    socket.send_binary(b"\0exit 2\n")
    status = socket.recv()
    assert status[:1] == b"\x03" and json.loads(status[1:])["details"]["causes"] == [{"reason": "ExitCode", "message": "2"}], status
    socket.close()
    # What is no WebSocket is told so, and the next one is served.
    socket = raw(path, ["v5.channel.k8s.io"])
    socket.sock.sendall(b"\x82\x03\0ls")
    opcode, data = socket.recv_data(control_frame=True)
    while opcode != websocket.ABNF.OPCODE_CLOSE:
        opcode, data = socket.recv_data(control_frame=True)
    assert data[:2] == b"\x03\xea", data
    # Whoever goes in the middle of a frame leaves nothing behind: as many come as the board has room for, and more.
    deadline = time.monotonic() + 60
    left = 12
    while left:
        assert time.monotonic() < deadline, "the board takes no more commands"
        try:
            half = raw(path, ["v5.channel.k8s.io"])
        except websocket.WebSocketBadStatusException as error:
            # those before have not been seen to go
            assert error.status_code == 429, error
            continue
        half.sock.sendall(b"\x82\xfe\x01")
        half.sock.close()
        left -= 1
    while run([*BOTH["kubectl"], "exec", "it", "--", "true"])[0] != 0:
        assert time.monotonic() < deadline, "the board takes no more commands"
    try:
        raw(path, ["v9.channel.k8s.io"])
        raise AssertionError("a protocol that nobody knows is spoken")
    except websocket.WebSocketBadStatusException as error:
        assert error.status_code == 400, error


def what_a_container_says():
    spec = {"nodeName": node, "terminationGracePeriodSeconds": 1,
            "containers": [{"name": "c", "image": "pico/blink:v1", "resources": {"limits": {"pico.io/led": 1}}}]}
    kube("apply", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "says"}, "spec": spec}))
    kube("wait", "--for=condition=Ready", "pod/says", "--timeout=60s")
    attached = [subprocess.Popen([*program, "attach", "says"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                for program in BOTH.values()]
    for one in attached:
        assert one.stdout.readline().startswith("led ")
    # it ends with its container
    kube("delete", "pod", "says", "--timeout=60s")
    for one in attached:
        out, err = one.communicate(timeout=60)
        assert one.returncode == 0, err


@contextlib.contextmanager
def forwarded(words):
    """A local port that leads where these words of a command line say."""
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        assert line.startswith("Forwarding from 127.0.0.1:"), (words, line, line or process.stderr.read())
        yield process, int(line.split(":")[1].split()[0])
    finally:
        process.kill()
        process.communicate()


def ask(port, method="GET", path="/"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body="x" if method == "POST" else None)
    answer = connection.getresponse()
    return connection, answer.status, answer.read()


def ports_are_forwarded(programs):
    for program in programs:
        words = [*program, "port-forward"]
        for what in (["pod/web", ":18080"], ["svc/web", ":80"], ["pod/web", ":http"]):
            with forwarded([*words, *what]) as (_, port):
                _, status, switched = ask(port, "POST", "/on")
                assert (status, switched.strip()) == (200, b"on"), (program, what, status, switched)
                # Connections that stay open are more than a board has room for: those that were answered give way.
                kept = [ask(port) for _ in range(8)]
                assert [(status, body) for _, status, body in kept] == [(200, b"on\n")] * 8, (program, what, kept)
                _, status, body = ask(port, "POST", "/off")
                assert status == 200, (program, what, status, body)
        with forwarded([*words, "pod/web", ":9"]) as (process, port):
            try:
                ask(port)
                raise AssertionError(f"{program}: an answer on a port that there is not")
            except (http.client.HTTPException, OSError):
                pass
            said = process.stderr.readline()
            assert "no container of it that runs has port 9" in said, (program, said)
        with forwarded([*words, "pod/web", ":18080"]) as (process, port):
            assert ask(port)[1] == 200
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0, program


def ports_of_a_container():
    spec = {"nodeName": node, "terminationGracePeriodSeconds": 1, "containers": [
        {"name": "c", "image": "pico/http-led:v1", "ports": [{"name": "http", "containerPort": 18080}], "resources": {"limits": {"pico.io/led": 1}}}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "labels": {"app": "web"}}, "spec": spec}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
               "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]}}
    kube("apply", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": [pod, service]}))
    kube("wait", "--for=condition=Ready", "pod/web", "--timeout=60s")
    ports_are_forwarded([*BOTH.values(), *([other, "--kubeconfig", kubeconfig] for other in others)])
    # The Python client has channels of a WebSocket, as kube-rs has.
    ports = portforward(core.connect_get_namespaced_pod_portforward, "web", "default", ports="18080")
    socket = ports.socket(18080)
    socket.settimeout(60)
    socket.sendall(b"GET / HTTP/1.0\r\n\r\n")
    said = b""
    while piece := socket.recv(4096):
        said += piece
    assert said.startswith(b"HTTP/1.1 200 OK\r\n") and said.endswith(b"off\n"), said
    assert ports.error(18080) is None, ports.error(18080)
    for words, why in [(["pod/absent", ":80"], "pod is not running"), (["pod/web", ":no"], "Pod 'web' does not have a named port 'no'"),
                       (["svc/web", ":81"], "Service web does not have a service port 81")]:
        expect(["port-forward", *words], (1, "", why))


def http_through_the_server():
    base = "/api/v1/namespaces/default"
    switched = kube("create", "--raw", f"{base}/pods/web:18080/proxy/on", "-f", "-", text="x")
    for path in ("pods/web/proxy/", "pods/web:http/proxy/", "services/web:80/proxy/"):
        assert kube("get", "--raw", f"{base}/{path}") == switched, (path, switched)
    assert "kubelet_running_pods " in kube("get", "--raw", f"/api/v1/nodes/{node}/proxy/metrics")


def everything_is_free_again():
    kube("delete", "pod/web", "service/web", "--timeout=60s")
    kube("delete", "pod", "it", "absent", "lost", "--force", "--grace-period=0", "--timeout=60s")
    kube("delete", "node", "nobody")


for check in (pods, commands_and_their_codes, refusals, other_versions_of_kubectl, a_terminal, the_python_client, version_4_and_broken_clients, what_a_container_says,
              ports_of_a_container, http_through_the_server, everything_is_free_again):
    try:
        check()
        passed += 1
    except Exception as error:  # noqa: BLE001 - every failure is told, and the next check runs
        failed += 1
        print(f"FAILED {check.__name__}: {error!r}")
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
