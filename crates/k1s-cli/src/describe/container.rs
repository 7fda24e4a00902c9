// SPDX-License-Identifier: Apache-2.0
//! Containers of pods and pod templates.

use serde_json::Value;

use super::field::{Fields, shown};
use super::page::{Page, or_none, put, sorted};
use super::time::full;

/// Where containers are described: in a running pod or in a template, which is indented further and has no state.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    /// Containers of this pod, with their states in this list of statuses.
    Pod(&'a Value, &'a [Value]),
    /// Containers of a pod template.
    Template,
}

/// The containers of one list.
pub(crate) fn section(page: &mut Page, title: &str, containers: &[Value], place: Place<'_>) {
    let (space, name_indent, statuses) = match place {
        Place::Pod(_, statuses) => ("", "", statuses),
        Place::Template => ("  ", " ", [].as_slice()),
    };
    put!(
        page,
        0,
        "{space}{title}:{}",
        if containers.is_empty() { " <none>" } else { "" }
    );
    for container in containers {
        let status = statuses
            .iter()
            .find(|status| status.text("name") == container.text("name"));
        put!(page, 1, "{name_indent}{}:", container.text("name"));
        basics(page, container, status);
        words(page, "Command", &container.strings("command"));
        words(page, "Args", &container.strings("args"));
        if let Some(status) = status {
            state(page, "State", status.at("state"));
            if status.has("lastState.terminated") {
                state(page, "Last State", status.at("lastState"));
            }
            put!(
                page,
                2,
                "Ready:\t{}",
                if status.flag("ready") {
                    "True"
                } else {
                    "False"
                }
            );
            put!(page, 2, "Restart Count:\t{}", status.int("restartCount"));
        }
        resources(page, 2, container.at("resources"));
        for (title, field) in [
            ("Liveness", "livenessProbe"),
            ("Readiness", "readinessProbe"),
            ("Startup", "startupProbe"),
        ] {
            if container.has(field) {
                put!(page, 2, "{title}:\t{}", probe(container.at(field)));
            }
        }
        environment_from(page, container.list("envFrom"));
        environment(page, container, place);
        mounts(page, container);
    }
}

/// Limits and requests.
pub(crate) fn resources(page: &mut Page, level: usize, resources: &Value) {
    for (title, field) in [("Limits", "limits"), ("Requests", "requests")] {
        let quantities = resources.map(field);
        if quantities.is_empty() {
            continue;
        }
        put!(page, level, "{title}:");
        for (name, quantity) in sorted(quantities) {
            put!(page, level + 1, "{name}:\t{}", shown(quantity));
        }
    }
}

fn basics(page: &mut Page, container: &Value, status: Option<&Value>) {
    if let Some(status) = status {
        put!(page, 2, "Container ID:\t{}", status.text("containerID"));
    }
    put!(page, 2, "Image:\t{}", container.text("image"));
    if let Some(status) = status {
        put!(page, 2, "Image ID:\t{}", status.text("imageID"));
    }
    for (title, field) in [("Port", "containerPort"), ("Host Port", "hostPort")] {
        let ports = ports(container.list("ports"), field);
        let plural = if ports.contains(',') { "s" } else { "" };
        put!(page, 2, "{title}{plural}:\t{}", or_none(ports));
    }
    seccomp(page, 2, container);
}

/// The seccomp profile of a container or pod, where there is one.
pub(crate) fn seccomp(page: &mut Page, level: usize, spec: &Value) {
    let profile = spec.at("securityContext.seccompProfile");
    if profile.is_null() {
        return;
    }
    put!(page, level, "SeccompProfile:\t{}", profile.text("type"));
    if profile.text("type") == "Localhost" {
        put!(
            page,
            if level == 0 { 0 } else { level + 1 },
            "LocalhostProfile:\t{}",
            profile.text("localhostProfile")
        );
    }
}

fn ports(ports: &[Value], field: &str) -> String {
    let ports = ports.iter().map(|port| {
        let number = format!("{}/{}", port.int(field), port.text("protocol"));
        if port.text("name").is_empty() {
            number
        } else {
            format!("{number} ({})", port.text("name"))
        }
    });
    ports.collect::<Vec<_>>().join(", ")
}

fn words(page: &mut Page, title: &str, words: &[&str]) {
    if words.is_empty() {
        return;
    }
    put!(page, 2, "{title}:");
    for line in words.iter().flat_map(|word| word.split('\n')) {
        put!(page, 3, "{line}");
    }
}

fn state(page: &mut Page, title: &str, state: &Value) {
    if state.has("running") {
        put!(page, 2, "{title}:\tRunning");
        put!(
            page,
            3,
            "Started:\t{}",
            full(state.text("running.startedAt"))
        );
    } else if state.has("terminated") {
        let end = state.at("terminated");
        put!(page, 2, "{title}:\tTerminated");
        for (title, field) in [("Reason", "reason"), ("Message", "message")] {
            if !end.text(field).is_empty() {
                put!(page, 3, "{title}:\t{}", end.text(field));
            }
        }
        put!(page, 3, "Exit Code:\t{}", end.int("exitCode"));
        if end.int("signal") > 0 {
            put!(page, 3, "Signal:\t{}", end.int("signal"));
        }
        put!(page, 3, "Started:\t{}", full(end.text("startedAt")));
        put!(page, 3, "Finished:\t{}", full(end.text("finishedAt")));
    } else {
        put!(page, 2, "{title}:\tWaiting");
        if !state.text("waiting.reason").is_empty() {
            put!(page, 3, "Reason:\t{}", state.text("waiting.reason"));
        }
    }
}

fn probe(probe: &Value) -> String {
    let limits = format!(
        "delay={}s timeout={}s period={}s #success={} #failure={}",
        probe.int("initialDelaySeconds"),
        probe.int("timeoutSeconds"),
        probe.int("periodSeconds"),
        probe.int("successThreshold"),
        probe.int("failureThreshold")
    );
    if probe.has("exec") {
        return format!(
            "exec [{}] {limits}",
            probe.strings("exec.command").join(" ")
        );
    }
    if probe.has("httpGet") {
        let http = probe.at("httpGet");
        let host = match http.text("host") {
            host if host.contains(':') => format!("[{host}]"),
            host => host.to_owned(),
        };
        let path = http.text("path");
        let slash = if path.is_empty() || path.starts_with('/') {
            ""
        } else {
            "/"
        };
        return format!(
            "http-get {}://{host}:{}{slash}{path} {limits}",
            http.text("scheme").to_lowercase(),
            http.shown("port")
        );
    }
    if probe.has("tcpSocket") {
        return format!(
            "tcp-socket {}:{} {limits}",
            probe.text("tcpSocket.host"),
            probe.shown("tcpSocket.port")
        );
    }
    if probe.has("grpc") {
        return format!(
            "grpc <pod>:{} {} {limits}",
            probe.int("grpc.port"),
            probe.text("grpc.service")
        );
    }
    format!("unknown {limits}")
}

fn environment_from(page: &mut Page, sources: &[Value]) {
    if sources.is_empty() {
        return;
    }
    put!(page, 2, "Environment Variables from:");
    for source in sources {
        let (from, reference) = match source.has("configMapRef") {
            true => ("ConfigMap", source.at("configMapRef")),
            false => ("Secret", source.at("secretRef")),
        };
        let prefix = match source.text("prefix") {
            "" => String::new(),
            prefix => format!(" with prefix '{prefix}'"),
        };
        put!(
            page,
            3,
            "{}\t{from}{prefix}\tOptional: {}",
            reference.text("name"),
            reference.flag("optional")
        );
    }
}

fn environment(page: &mut Page, container: &Value, place: Place<'_>) {
    let variables = container.list("env");
    put!(
        page,
        2,
        "Environment:{}",
        if variables.is_empty() { "\t<none>" } else { "" }
    );
    for variable in variables {
        let name = variable.text("name");
        let from = variable.at("valueFrom");
        if from.is_null() {
            let mut lines = variable.text("value").split('\n');
            put!(page, 3, "{name}:\t{}", lines.next().unwrap_or_default());
            for line in lines {
                put!(page, 3, "\t{line}");
            }
        } else if from.has("fieldRef") {
            let path = from.text("fieldRef.fieldPath");
            let value = match place {
                Place::Pod(pod, _) => pod_field(pod, path),
                Place::Template => String::new(),
            };
            put!(
                page,
                3,
                "{name}:\t{value} ({}:{path})",
                from.text("fieldRef.apiVersion")
            );
        } else if from.has("resourceFieldRef") {
            let resource = from.text("resourceFieldRef.resource");
            put!(
                page,
                3,
                "{name}:\t{} ({resource})",
                resource_field(container, from.at("resourceFieldRef"))
            );
        } else if from.has("secretKeyRef") {
            let key = from.at("secretKeyRef");
            put!(
                page,
                3,
                "{name}:\t<set to the key '{}' in secret '{}'>\tOptional: {}",
                key.text("key"),
                key.text("name"),
                key.flag("optional")
            );
        } else if from.has("configMapKeyRef") {
            let key = from.at("configMapKeyRef");
            put!(
                page,
                3,
                "{name}:\t<set to the key '{}' of config map '{}'>\tOptional: {}",
                key.text("key"),
                key.text("name"),
                key.flag("optional")
            );
        }
    }
}

/// What a variable made of a field of its pod holds.
fn pod_field(pod: &Value, path: &str) -> String {
    if let Some((map, key)) = path
        .strip_suffix(']')
        .and_then(|path| path.split_once("['"))
    {
        let key = key.strip_suffix('\'').unwrap_or(key);
        return pod.map(map).get(key).map(shown).unwrap_or_default();
    }
    match path {
        "metadata.labels" | "metadata.annotations" => sorted(pod.map(path))
            .map(|(name, value)| format!("{name}={:?}", shown(value)))
            .collect::<Vec<_>>()
            .join("\n"),
        "metadata.name" | "metadata.namespace" | "metadata.uid" => pod.text(path).to_owned(),
        _ => String::new(),
    }
}

fn resource_field(container: &Value, field: &Value) -> String {
    let resource = field.text("resource");
    let quantity = resource
        .split_once('.')
        .and_then(|(kind, name)| container.map("resources").get(kind)?.get(name));
    let value = quantity.map(|quantity| {
        super::quantity::divided(
            &shown(quantity),
            field.text("divisor"),
            resource.ends_with(".cpu"),
        )
    });
    match value {
        None | Some(0) if matches!(resource, "limits.cpu" | "limits.memory") => {
            "node allocatable".to_owned()
        }
        value => value.unwrap_or_default().to_string(),
    }
}

fn mounts(page: &mut Page, container: &Value) {
    let mut mounts: Vec<&Value> = container.list("volumeMounts").iter().collect();
    mounts.sort_by_key(|mount| mount.text("mountPath"));
    let none = if mounts.is_empty() { "\t<none>" } else { "" };
    put!(page, 2, "Mounts:{none}");
    for mount in mounts {
        let mode = if mount.flag("readOnly") { "ro" } else { "rw" };
        let part = match mount.text("subPath") {
            "" => String::new(),
            path => format!(",path={path:?}"),
        };
        put!(
            page,
            3,
            "{} from {} ({mode}{part})",
            mount.text("mountPath"),
            mount.text("name")
        );
    }
    let mut devices: Vec<&Value> = container.list("volumeDevices").iter().collect();
    if devices.is_empty() {
        return;
    }
    devices.sort_by_key(|device| device.text("devicePath"));
    put!(page, 2, "Devices:{none}");
    for device in devices {
        put!(
            page,
            3,
            "{} from {}",
            device.text("devicePath"),
            device.text("name")
        );
    }
}
