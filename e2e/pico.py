#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Simulated boards as nodes, from the outside: kubectl on one side, the pins of the boards on the other.

    e2e/pico.py K1S KUBECTL KUBECONFIG DIRECTORY [--bind] [--registry ADDRESS] [--private ADDRESS]

The boards are those of `k1s pico sim --nodes 2 --kubeconfig KUBECONFIG --socket DIRECTORY/pico.sock`, on any cluster. With --bind
pods are put on their nodes by hand, for a cluster without a scheduler such as that of bench/peer. With --registry an image is
pulled from there, own/blink:v9, which is signed with a key that the boards trust; with --private own/secret:v9, from one that
wants the user me with the password hunter2.
"""
import datetime
import json
import os
import signal
import socket as sockets
import ssl
import struct
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

k1s, kubectl, kubeconfig, directory = sys.argv[1:5]
# where no scheduler runs
bind_by_hand = "--bind" in sys.argv[5:]
registry = sys.argv[sys.argv.index("--registry") + 1] if "--registry" in sys.argv[5:] else None
private = sys.argv[sys.argv.index("--private") + 1] if "--private" in sys.argv[5:] else None
socket = f"{directory}/pico.sock"
passed = failed = 0


def run(*words, text=None, ok=True):
    done = subprocess.run(words, input=text, capture_output=True, text=True, timeout=120)
    if ok and done.returncode != 0:
        raise AssertionError(f"{' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def kube(*words, **more):
    return run(kubectl, "--kubeconfig", kubeconfig, *words, **more)


def pod(name):
    return json.loads(kube("get", "pod", name, "-o", "json"))


def board(name):
    return json.loads(run(k1s, "pico", "pins", name, "-o", "json", "--socket", socket))


def until(what, check):
    end = time.monotonic() + 60
    while True:
        try:
            value = check()
        except AssertionError:
            value = None
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within a minute: {what}")
        time.sleep(0.1)


def kubelet(name, path):
    # its certificate is its own; that it is the one the Node names is the API server's business
    context = ssl._create_unverified_context()
    try:
        with urllib.request.urlopen(f"https://127.0.0.1:{board(name)['port']}{path}", timeout=30, context=context) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def apply(name, image, node, limits=None, more=None, spec=None, **container):
    spec = {"nodeName": node, "terminationGracePeriodSeconds": 2, **(spec or {}),
            "containers": [{"name": "c", "image": image, "resources": {"limits": limits or {}}, **container}]}
    metadata = {"name": name}
    metadata.update(more or {})
    kube("apply", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}))


def bind(name, node):
    binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": {"kind": "Node", "name": node}}
    kube("create", "--raw", f"/api/v1/namespaces/default/pods/{name}/binding", "-f", "-", text=json.dumps(binding))


def two_boards_are_ready():
    kube("wait", "--for=condition=Ready", "node/pico-0", "node/pico-1", "--timeout=60s")
    node = json.loads(kube("get", "node", "pico-0", "-o", "json"))
    assert node["status"]["allocatable"]["pico.io/gpio-pin"] == "26", node["status"]["allocatable"]
    assert any(t["key"] == "pico.io/embedded-workload" for t in node["spec"]["taints"]), node["spec"]
    kube("get", "lease", "-n", "kube-node-lease", "pico-0", "pico-1")
    assert "containerRuntimeVersion" in json.dumps(node), node
    # anybody is told that it is well; everything else is for the API server
    assert kubelet("pico-0", "/healthz") == (200, "ok") and kubelet("pico-0", "/readyz") == (200, "ok")
    for path in ("/pods", "/containerLogs/default/blink/blink", "/metrics", "/metrics/resource", "/stats/summary", "/configz", "/pico/status"):
        assert kubelet("pico-0", path)[0] == 401, (path, kubelet("pico-0", path))
    if not bind_by_hand:
        # a kube-apiserver is no proxy to addresses of loopback
        assert "# TYPE" in kube("get", "--raw", "/api/v1/nodes/pico-0/proxy/metrics/resource")


def blink_is_scheduled_and_blinks():
    kube("apply", "-f", "examples/blink.yaml")
    if bind_by_hand:
        bind("blink", "pico-0")
    kube("wait", "--for=condition=Ready", "pod/blink", "--timeout=60s")
    name = pod("blink")["spec"]["nodeName"]
    until("the LED goes on", lambda: board(name)["led"])
    until("the LED goes off", lambda: not board(name)["led"])
    until("the log has lines", lambda: kube("logs", "blink", "--tail=3").count("led ") == 3)
    lines = kube("logs", "blink", "--tail=3", "--timestamps").splitlines()
    assert all(line[:4].isdigit() and " led " in line for line in lines), lines
    said = run(k1s, "--kubeconfig", kubeconfig, "logs", "blink", "--tail=1", "--prefix")
    assert said.startswith("[pod/blink/blink] led "), said
    since = kube("logs", "blink", "--since-time=2020-01-01T00:00:00Z").count("\n")
    assert since >= 3 and kube("logs", "blink", "--since-time=2120-01-01T00:00:00Z") == "", since
    said = kube("describe", "pod", "blink")
    assert "Started container blink" in said and "pico-node" in said, said
    kube("delete", "pod", "blink", "--timeout=60s")
    until("the LED is given back", lambda: not board(name)["led"] and board(name)["pods"] == [])


def pins_are_held_and_free_again():
    apply("button", "pico/button:v1", "pico-0", {"pico.io/gpio-pin": 1}, {"annotations": {"pico.io/gpio-pins": "15"}})
    kube("wait", "--for=condition=Ready", "pod/button", "--timeout=60s")
    until("the pin is an input", lambda: board("pico-0")["pins"]["GP15"].startswith("in:"))
    pressed = lambda: kube("logs", "button").count("pressed, count ")
    before = pressed()
    for level in ("high", "low", "high"):
        run(k1s, "pico", "pins", "pico-0", f"15={level}", "--socket", socket)
        time.sleep(0.2)
    until("the press is in the log", lambda: pressed() == before + 1)
    apply("second", "pico/button:v1", "pico-0", {"pico.io/gpio-pin": 1}, {"annotations": {"pico.io/gpio-pins": "15"}})
    until("the second is refused", lambda: pod("second")["status"].get("phase") == "Failed")
    assert "GP15 is in use by pod default/button" in pod("second")["status"]["message"], pod("second")["status"]
    kube("delete", "pod", "button", "second", "--timeout=60s")
    run(k1s, "pico", "pins", "pico-0", "15=open", "--socket", socket)
    until("the pin is free", lambda: board("pico-0")["pins"]["GP15"].startswith("off:"))


def limits_and_images():
    apply("hog", "pico/hog:v1", "pico-1", {"memory": "8Ki", "cpu": "100m"})

    def killed():
        status = pod("hog")["status"].get("containerStatuses", [{}])[0]
        return status.get("lastState", {}).get("terminated", {}).get("reason") == "OOMKilled" and status["restartCount"] > 0

    until("the hog is killed and restarted", killed)
    apply("nothing", "pico/nothing:v1", "pico-1")

    def waiting():
        status = pod("nothing")["status"].get("containerStatuses", [{}])[0]
        return status.get("state", {}).get("waiting", {}).get("reason") == "ImagePullBackOff"

    until("the pull backs off", waiting)
    kube("delete", "pod", "hog", "nothing", "--timeout=60s")


def power_and_link_come_back():
    lease = lambda: json.loads(kube("get", "lease", "-n", "kube-node-lease", "pico-1", "-o", "json"))["spec"]["renewTime"]
    boot = lambda: json.loads(kube("get", "node", "pico-1", "-o", "json"))["status"]["nodeInfo"]["bootID"]
    before = boot()
    run(k1s, "pico", "pins", "pico-1", "power=cycle", "--socket", socket)
    until("the board started again", lambda: boot() != before)
    run(k1s, "pico", "pins", "pico-1", "link=cut", "--socket", socket)
    apply("late", "pico/blink:v1", "pico-1", {"pico.io/led": 1})
    time.sleep(2)
    assert pod("late")["status"]["phase"] == "Pending" and not board("pico-1")["led"], "the board heard of it over a cut link"
    assert board("pico-1")["link"]["cut"], board("pico-1")
    old = lease()
    run(k1s, "pico", "pins", "pico-1", "link=up", "--socket", socket)
    kube("wait", "--for=condition=Ready", "pod/late", "--timeout=60s")
    until("the Lease is renewed", lambda: lease() != old)
    kube("delete", "pod", "late", "--timeout=60s")
    kube("delete", "node", "pico-1")
    until("the node comes back", lambda: "pico-1" in kube("get", "nodes", "-o", "name"))


def an_image_of_ones_own():
    known = lambda name: json.loads(kube("get", "node", name, "-o", "json"))["metadata"]["annotations"]["pico.io/available-ecis"]
    if "own/blink:v9" not in known("pico-0"):
        # loaded before the boards were started, see .ci/run
        raise AssertionError(known("pico-0"))
    assert "pico/blink:v1" in known("pico-0") and "own/blink:v9" not in known("pico-1"), known("pico-1")
    apply("own", "own/blink:v9", "pico-0", {"pico.io/led": 1})
    kube("wait", "--for=condition=Ready", "pod/own", "--timeout=60s")
    until("the LED goes on", lambda: board("pico-0")["led"])
    kube("delete", "pod", "own", "--timeout=60s")
    refused = subprocess.run([k1s, "pico", "eci", "load", "crates/pico-eci/images/blink.eci", "--flash", f"{directory}/flash/pico-0.flash"],
                             capture_output=True, text=True)
    assert refused.returncode == 1 and "a board runs on it" in refused.stderr, refused


def an_image_from_a_registry():
    image = f"{registry}/own/blink:v9"
    apply("pulled", image, "pico-1", {"pico.io/led": 1})
    kube("wait", "--for=condition=Ready", "pod/pulled", "--timeout=60s")
    until("the LED goes on", lambda: board("pico-1")["led"])
    said = kube("describe", "pod", "pulled")
    assert f'Pulling image "{image}"' in said and f'Successfully pulled image "{image}"' in said, said
    until("the node has it", lambda: image in kube("get", "node", "pico-1", "-o", "jsonpath={.status.images[*].names[*]}"))
    digest = pod("pulled")["status"]["containerStatuses"][0]["imageID"]
    kube("delete", "pod", "pulled", "--timeout=60s")
    # pico-0 has it in flash under another name, and needs no registry for it
    apply("digest", f"registry.invalid/own/blink@{digest}", "pico-0", {"pico.io/led": 1})
    kube("wait", "--for=condition=Ready", "pod/digest", "--timeout=60s")
    waiting = lambda name: pod(name)["status"].get("containerStatuses", [{}])[0].get("state", {}).get("waiting", {})
    apply("none", f"{registry}/own/blink:none", "pico-1")
    until("the pull backs off", lambda: waiting("none").get("reason") == "ImagePullBackOff")
    assert "the registry says 404" in waiting("none")["message"], waiting("none")
    apply("never", f"{registry}/own/other:v1", "pico-1", imagePullPolicy="Never")
    until("nothing is pulled", lambda: waiting("never").get("reason") == "ErrImageNeverPull")
    kube("delete", "pod", "digest", "none", "never", "--timeout=60s")


def an_image_from_a_private_registry():
    image = f"{private}/own/secret:v9"
    state = lambda name: pod(name)["status"].get("containerStatuses", [{}])[0].get("state", {})
    kube("create", "secret", "docker-registry", "own", f"--docker-server={private}", "--docker-username=me", "--docker-password=hunter2")
    apply("stranger", image, "pico-1", {"pico.io/led": 1}, imagePullPolicy="Always")
    until("it is refused", lambda: "the registry says 401" in state("stranger").get("waiting", {}).get("message", ""))
    kube("delete", "pod", "stranger", "--timeout=60s")
    apply("known", image, "pico-1", {"pico.io/led": 1}, spec={"imagePullSecrets": [{"name": "none"}, {"name": "own"}]}, imagePullPolicy="Always")
    kube("wait", "--for=condition=Ready", "pod/known", "--timeout=60s")
    said = kube("describe", "pod", "known")
    assert "Unable to retrieve some image pull secrets (none)" in said and "hunter2" not in said, said
    kube("delete", "pod", "known", "--timeout=60s")
    kube("delete", "secret", "own")


def post(port, path):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=b"", method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, ""
    except OSError:
        return None


def events_of(kind, name, reason):
    found = json.loads(kube("get", "events", "-A", "-o", "json"))["items"]
    return [e["message"] for e in found
            if (e["involvedObject"]["kind"], e["involvedObject"]["name"], e["reason"]) == (kind, name, reason)]


def free_port():
    with sockets.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def lamp(node):
    """A pod that switches the LED by HTTP, on a port that it got: somebody else may be faster, then it is another one."""
    for _ in range(10):
        port = free_port()
        spec = {"nodeName": node, "terminationGracePeriodSeconds": 2, "containers": [
            {"name": "c", "image": "pico/http-led:v1", "ports": [{"name": "http", "containerPort": port}],
             "resources": {"limits": {"pico.io/led": 1}}}]}
        kube("apply", "-f", "-", text=json.dumps(
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "lamp", "labels": {"app": "lamp"}}, "spec": spec}))
        kube("wait", "--for=condition=Ready", "pod/lamp", "--timeout=60s")
        refused = lambda: any(f"port {port} of a container" in m for m in events_of("Node", node, "PortRefused"))
        until("the port is answered or refused", lambda: (post(port, "/off") or [0])[0] == 200 or refused())
        if not refused():
            return port
        kube("delete", "pod", "lamp", "--timeout=60s")
    raise AssertionError("no port could be had")


def service_of_the_lamp():
    spec = {"type": "NodePort", "externalTrafficPolicy": "Local", "selector": {"app": "lamp"},
            "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}
    kube("create", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "lamp"}, "spec": spec}))
    return json.loads(kube("get", "service", "lamp", "-o", "json"))["spec"]["ports"][0]["nodePort"]


def ports_of_containers_and_services():
    port = lamp("pico-0")
    assert post(port, "/on") == (200, "on\n") and board("pico-0")["led"]
    assert post(port, "/off") == (200, "off\n") and not board("pico-0")["led"]
    # where a container has its port, somebody else listens on a node port
    taken = sockets.socket()
    for _ in range(10):
        node_port = service_of_the_lamp()
        refused = lambda: any(f"node port {node_port} of service default/lamp" in m for m in events_of("Node", "pico-0", "PortRefused"))
        until("the node port is answered or refused", lambda: (post(node_port, "/off") or [0])[0] == 200 or refused())
        if not refused():
            break
        kube("delete", "service", "lamp")
    assert post(node_port, "/on") == (200, "on\n") and board("pico-0")["led"]
    kube("patch", "service", "lamp", "--type=json", "-p", '[{"op": "replace", "path": "/spec/selector/app", "value": "other"}]')
    until("the node port is closed", lambda: post(node_port, "/on") is None)
    # somebody else takes the port: the node says so, and has it once it is free
    taken.setsockopt(sockets.SOL_SOCKET, sockets.SO_REUSEADDR, 1)
    taken.bind(("127.0.0.1", node_port))
    taken.listen(1)
    before = len(events_of("Node", "pico-0", "PortRefused"))
    kube("patch", "service", "lamp", "--type=json", "-p", '[{"op": "replace", "path": "/spec/selector/app", "value": "lamp"}]')
    until("the port is refused", lambda: len(events_of("Node", "pico-0", "PortRefused")) > before)
    taken.close()
    until("the port is served", lambda: post(node_port, "/off") == (200, "off\n"))
    kube("delete", "service", "lamp")
    until("the node port is closed", lambda: post(node_port, "/on") is None)
    kube("delete", "pod", "lamp", "--timeout=60s")
    until("the port is closed", lambda: post(port, "/on") is None)


def a_button_is_an_ingress():
    lamp("pico-0")
    service_of_the_lamp()
    ingress = json.loads(run(kubectl, "--kubeconfig", kubeconfig, "create", "--dry-run=client", "-o", "json", "ingress", "gpio-ingress",
                             "--class=pico", "--rule=button-a.local/on=lamp:80", "--annotation=pico.io/inputs=button-a.local=16",
                             "--annotation=pico.io/node=pico-0"))
    kube("apply", "-f", "-", text=json.dumps(ingress))
    until("the pin is an input", lambda: board("pico-0")["pins"]["GP16"].startswith("in:"))
    assert not board("pico-0")["led"] and board("pico-1")["pins"]["GP16"].startswith("off:"), board("pico-1")
    for level in ("low", "high"):
        run(k1s, "pico", "pins", "pico-0", f"16={level}", "--socket", socket)
        until("the edge has settled", lambda: board("pico-0")["led"])
    kube("delete", "service", "lamp")
    # nobody knows how long the node remembers the way: it goes where it was until that fails
    kube("delete", "pod", "lamp", "--timeout=60s")

    def press_fails():
        for level in ("low", "high"):
            run(k1s, "pico", "pins", "pico-0", f"16={level}", "--socket", socket)
            time.sleep(0.2)
        return events_of("Ingress", "gpio-ingress", "BackendFailed")

    said = until("a press is told to have failed", press_fails)
    assert "button-a.local: POST /on of service default/lamp:80" in said[0], said
    kube("delete", "ingress", "gpio-ingress")
    until("the pin is free", lambda: board("pico-0")["pins"]["GP16"].startswith("off:"))


def kinds_of_ones_own():
    kube("apply", "-f", "examples/pico-kinds.yaml")
    kube("wait", "--for=condition=Established", "crd/gpiocontrollers.pico.io", "crd/ledmatrices.pico.io", "--timeout=60s")
    # it would look again by itself, some minutes later
    run(k1s, "pico", "pins", "pico-1", "power=cycle", "--socket", socket)
    spec = {"nodeName": "pico-1", "pinNumber": 17, "mode": "output", "value": "HIGH"}
    controller = {"apiVersion": "pico.io/v1", "kind": "GPIOController", "metadata": {"name": "lamp"}, "spec": spec}
    matrix = {"apiVersion": "pico.io/v1", "kind": "LEDMatrix", "metadata": {"name": "sign"},
              "spec": {"nodeName": "pico-1", "message": "ok", "brightness": 255}}
    until("the kinds are served", lambda: kube("apply", "-f", "-", text=json.dumps(
        {"apiVersion": "v1", "kind": "List", "items": [controller, matrix]})))
    kube("wait", "--for=condition=Ready", "gpiocontroller/lamp", "ledmatrix/sign", "--timeout=60s")
    seen = board("pico-1")
    assert seen["pins"]["GP17"] == "out:high", seen["pins"]
    assert seen["matrix"][1] == ".#..#.#." + "." * 24 and seen["matrixIntensity"] == 15, seen["matrix"]
    kube("patch", "gpiocontroller", "lamp", "--type=merge", "-p", '{"spec": {"value": "LOW"}}')
    until("the pin is low", lambda: board("pico-1")["pins"]["GP17"] == "out:low")
    until("the level is told", lambda: kube("get", "gpiocontroller", "lamp", "-o", "jsonpath={.status.level}") == "Low")
    kube("delete", "gpiocontroller/lamp", "ledmatrix/sign")
    until("all is given back", lambda: board("pico-1")["pins"]["GP17"].startswith("off:") and board("pico-1")["matrixIntensity"] is None)


def a_firmware_that_hangs_is_reset():
    boot = lambda: json.loads(kube("get", "node", "pico-1", "-o", "json"))["status"]["nodeInfo"]["bootID"]
    before = boot()
    run(k1s, "pico", "pins", "pico-1", "firmware=hang", "--socket", socket)
    until("the watchdog has reset the board", lambda: boot() != before)
    said = until("it is told", lambda: events_of("Node", "pico-1", "Rebooted"))
    assert any("the watchdog was not fed" in message for message in said), said


def time_from_a_server():
    server = sockets.socket(sockets.AF_INET, sockets.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    # it is a minute ahead of the API, whose time counts
    asked = []

    def answer():
        while True:
            try:
                question, peer = server.recvfrom(100)
            except OSError:
                return
            asked.append(question)
            seconds = int(time.time()) + 60 + 2208988800
            server.sendto(struct.pack(">BBbb 3I 8x 8s 8x II", 0x24, 2, 6, -20, 0, 0, 0x7f000001, question[40:48], seconds, 0), peer)

    threading.Thread(target=answer, daemon=True).start()
    with open(f"{directory}/clock.log", "w") as log:
        boards = subprocess.Popen([k1s, "pico", "sim", "--kubeconfig", kubeconfig, "--name-prefix", "clock-", "--kinds", "none",
                                   "--socket", f"{directory}/clock.sock", "--time-server", "127.0.0.1:%d" % server.getsockname()[1]],
                                  stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        until("the node is there", lambda: "clock-0" in kube("get", "nodes", "-o", "name"))
        kube("wait", "--for=condition=Ready", "node/clock-0", "--timeout=60s")
        question = until("the server is asked", lambda: asked)[0]
        assert len(question) == 48 and question[0] == 0x23 and any(question[40:]), question

        def off():
            lease = json.loads(kube("get", "lease", "-n", "kube-node-lease", "clock-0", "-o", "json"))
            renewed = datetime.datetime.fromisoformat(lease["spec"]["renewTime"].replace("Z", "+00:00"))
            return abs((renewed - datetime.datetime.now(datetime.timezone.utc)).total_seconds())

        until("the API's time counts", lambda: off() < 30)
    finally:
        boards.send_signal(signal.SIGINT)
        boards.wait(timeout=30)
        server.close()
        kube("delete", "node", "clock-0")
    assert not os.path.exists(f"{directory}/clock.sock"), "the socket is left behind"


for check in (two_boards_are_ready, blink_is_scheduled_and_blinks, pins_are_held_and_free_again, limits_and_images,
              an_image_of_ones_own, *([an_image_from_a_registry] if registry else []), *([an_image_from_a_private_registry] if private else []), ports_of_containers_and_services, a_button_is_an_ingress, kinds_of_ones_own,
              a_firmware_that_hangs_is_reset, time_from_a_server, power_and_link_come_back):
    try:
        check()
        passed += 1
    except Exception as error:  # noqa: BLE001 - every failure is told, and the next check runs
        failed += 1
        print(f"FAILED {check.__name__}: {error}")
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
