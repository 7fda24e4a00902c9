#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What programs do with the Python client `kubernetes`: typed objects, watches, the dynamic client, errors.

    python_client.py KUBECONFIG
"""
import sys, threading, traceback

from kubernetes import client, config, dynamic, utils, watch
from kubernetes.client.exceptions import ApiException

NS = "python-client"


def config_map(name, **data):
    return client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name, labels={"app": "py"}), data=data)


def raises(status, reason, call):
    try:
        call()
    except ApiException as e:
        assert e.status == status, f"{e.status}, not {status}"
        assert f'"reason":"{reason}"' in e.body.replace('": "', '":"'), e.body
        return
    raise AssertionError(f"no {status}")


def test_version(api):
    version = client.VersionApi(api).get_code()
    assert version.major == "1" and version.minor.isdigit(), version


def test_config_maps(api):
    core = client.CoreV1Api(api)
    made = core.create_namespaced_config_map(NS, config_map("a", key="1"))
    assert made.metadata.uid and made.metadata.creation_timestamp
    read = core.read_namespaced_config_map("a", NS)
    assert read.data == {"key": "1"}
    read.data["key"] = "2"
    replaced = core.replace_namespaced_config_map("a", NS, read)
    assert replaced.metadata.resource_version != made.metadata.resource_version
    patched = core.patch_namespaced_config_map("a", NS, {"data": {"more": "3"}})
    assert patched.data == {"key": "2", "more": "3"}
    assert [m.metadata.name for m in core.list_namespaced_config_map(NS, label_selector="app=py").items] == ["a"]
    raises(409, "AlreadyExists", lambda: core.create_namespaced_config_map(NS, config_map("a")))
    raises(409, "Conflict", lambda: core.replace_namespaced_config_map("a", NS, made))
    raises(422, "Invalid", lambda: core.create_namespaced_config_map(NS, config_map("Not_A_Name")))
    deleted = core.delete_namespaced_config_map("a", NS)
    # releases of the client from 36 on give a Status as it came
    assert (deleted["status"] if isinstance(deleted, dict) else deleted.status) == "Success", deleted
    raises(404, "NotFound", lambda: core.read_namespaced_config_map("a", NS))


def test_services(api):
    core = client.CoreV1Api(api)
    body = {"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}
    made = core.create_namespaced_service(NS, body)
    assert made.spec.type == "ClusterIP" and made.spec.ports[0].target_port == 80 and made.spec.cluster_ip
    more = {"spec": {"ports": [{"name": "a", "port": 80}, {"name": "b", "port": 8080}]}}
    patched = core.patch_namespaced_service("web", NS, more)
    assert sorted((p.name, p.port) for p in patched.spec.ports) == [("a", 80), ("b", 8080)], patched.spec.ports
    unnamed = {"spec": {"ports": [{"port": 9090}]}}
    raises(422, "Invalid", lambda: core.patch_namespaced_service("web", NS, unnamed))
    core.delete_namespaced_service("web", NS)


def test_deployments(api):
    apps = client.AppsV1Api(api)
    pod = client.V1PodTemplateSpec(
        metadata=client.V1ObjectMeta(labels={"app": "d"}),
        spec=client.V1PodSpec(containers=[client.V1Container(name="c", image="i:1")]))
    spec = client.V1DeploymentSpec(replicas=2, selector=client.V1LabelSelector(match_labels={"app": "d"}), template=pod)
    apps.create_namespaced_deployment(NS, client.V1Deployment(metadata=client.V1ObjectMeta(name="d"), spec=spec))
    change = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "i:2"}]}}}}
    assert apps.patch_namespaced_deployment("d", NS, change).spec.template.spec.containers[0].image == "i:2"
    scale = apps.patch_namespaced_deployment_scale("d", NS, {"spec": {"replicas": 4}})
    assert scale.spec.replicas == 4
    status = apps.patch_namespaced_deployment_status("d", NS, {"status": {"replicas": 1}})
    assert (status.status.replicas, status.spec.replicas) == (1, 4)
    apps.delete_namespaced_deployment("d", NS, propagation_policy="Foreground")


def test_jobs(api):
    batch = client.BatchV1Api(api)
    pod = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}
    made = batch.create_namespaced_job(NS, {"metadata": {"name": "j"}, "spec": {"template": pod}})
    assert made.spec.selector.match_labels["batch.kubernetes.io/controller-uid"] == made.metadata.uid
    batch.delete_namespaced_job("j", NS, propagation_policy="Background")


def test_nodes(api):
    core = client.CoreV1Api(api)
    core.create_node({"metadata": {"name": "py-node"}})
    assert "py-node" in [n.metadata.name for n in core.list_node().items]
    core.delete_node("py-node")


def test_pages(api):
    core = client.CoreV1Api(api)
    for n in range(5):
        core.create_namespaced_config_map(NS, config_map(f"page-{n}"))
    names, token = [], None
    while True:
        page = core.list_namespaced_config_map(NS, label_selector="app=py", limit=2, _continue=token)
        assert len(page.items) <= 2
        names += [m.metadata.name for m in page.items]
        token = page.metadata._continue
        if not token:
            break
    assert names == [f"page-{n}" for n in range(5)], names
    core.delete_collection_namespaced_config_map(NS, label_selector="app=py")
    assert core.list_namespaced_config_map(NS, label_selector="app=py").items == []


def test_watch(api):
    core = client.CoreV1Api(api)
    version = core.list_namespaced_config_map(NS).metadata.resource_version

    def writes():
        core.create_namespaced_config_map(NS, config_map("w", key="1"))
        core.patch_namespaced_config_map("w", NS, {"data": {"key": "2"}})
        core.delete_namespaced_config_map("w", NS)

    thread = threading.Thread(target=writes)
    thread.start()
    seen = []
    watcher = watch.Watch()
    for event in watcher.stream(core.list_namespaced_config_map, NS, resource_version=version, label_selector="app=py", timeout_seconds=20):
        seen.append((event["type"], event["object"].metadata.name))
        if event["type"] == "DELETED":
            watcher.stop()
    thread.join()
    assert seen == [("ADDED", "w"), ("MODIFIED", "w"), ("DELETED", "w")], seen


def test_watch_ends_by_itself(api):
    core = client.CoreV1Api(api)
    events = list(watch.Watch().stream(core.list_namespaced_config_map, NS, label_selector="app=none", timeout_seconds=1))
    assert events == [], events


def test_dynamic_client(api):
    kinds = dynamic.DynamicClient(api)
    maps = kinds.resources.get(api_version="v1", kind="ConfigMap")
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "dyn"}, "data": {"a": "1"}}
    made = maps.create(body=body, namespace=NS)
    assert made.data.a == "1"
    patched = maps.patch(name="dyn", namespace=NS, body={"data": {"a": "2"}}, content_type="application/merge-patch+json")
    assert patched.data.a == "2"
    assert maps.get(namespace=NS, field_selector="metadata.name=dyn").items[0].data.a == "2"
    for event in maps.watch(namespace=NS, name="dyn", timeout=10):
        assert (event["type"], event["object"].metadata.name) == ("ADDED", "dyn")
        break
    maps.delete(name="dyn", namespace=NS)
    deployments = kinds.resources.get(api_version="apps/v1", kind="Deployment")
    assert deployments.subresources["scale"] and deployments.namespaced


def test_from_yaml(api):
    docs = [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "from-yaml"}, "stringData": {"k": "v"}},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "from-yaml"},
         "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]},
    ]
    utils.create_from_yaml(api, yaml_objects=docs, namespace=NS)
    assert client.CoreV1Api(api).read_namespaced_secret("from-yaml", NS).data == {"k": "dg=="}
    assert client.RbacAuthorizationV1Api(api).read_namespaced_role("from-yaml", NS).rules[0].verbs == ["get"]


def test_anonymous(api):
    anonymous = client.Configuration()
    anonymous.host, anonymous.ssl_ca_cert = api.configuration.host, api.configuration.ssl_ca_cert
    raises(403, "Forbidden", lambda: client.CoreV1Api(client.ApiClient(anonymous)).list_namespaced_secret(NS))


def main():
    config.load_kube_config(sys.argv[1])
    api = client.ApiClient()
    core = client.CoreV1Api(api)
    core.create_namespace({"metadata": {"name": NS}})
    passed = failed = 0
    for name, test in list(globals().items()):
        if not name.startswith("test_"):
            continue
        try:
            test(api)
            passed += 1
        except Exception:
            failed += 1
            print(f"FAILED {name}")
            traceback.print_exc(file=sys.stdout)
    core.delete_namespace(NS)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
