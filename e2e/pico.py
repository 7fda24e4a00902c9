#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Simulated boards as nodes, from the outside: kubectl on one side, the pins of the boards on the other.

    e2e/pico.py K1S KUBECTL KUBECONFIG DIRECTORY [--bind] [--registry ADDRESS]

The boards are those of `k1s pico sim --nodes 2 --kubeconfig KUBECONFIG --socket DIRECTORY/pico.sock`, on any cluster. With --bind
pods are put on their nodes by hand, for a cluster without a scheduler such as that of bench/peer. With --registry an image is
pulled from there, own/blink:v9, which is signed with a key that the boards trust.
"""
import json
import ssl
import subprocess
import sys
import time
import urllib.request

k1s, kubectl, kubeconfig, directory = sys.argv[1:5]
# where no scheduler runs
bind_by_hand = "--bind" in sys.argv[5:]
registry = sys.argv[sys.argv.index("--registry") + 1] if "--registry" in sys.argv[5:] else None
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
    with urllib.request.urlopen(f"https://127.0.0.1:{board(name)['port']}{path}", timeout=30, context=context) as answer:
        return answer.read().decode()


def apply(name, image, node, limits=None, more=None, **container):
    spec = {"nodeName": node, "terminationGracePeriodSeconds": 2,
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
    assert kubelet("pico-0", "/healthz") == "ok" and "# TYPE" in kubelet("pico-0", "/metrics/resource")


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


for check in (two_boards_are_ready, blink_is_scheduled_and_blinks, pins_are_held_and_free_again, limits_and_images,
              an_image_of_ones_own, *([an_image_from_a_registry] if registry else []), power_and_link_come_back):
    try:
        check()
        passed += 1
    except Exception as error:  # noqa: BLE001 - every failure is told, and the next check runs
        failed += 1
        print(f"FAILED {check.__name__}: {error}")
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
