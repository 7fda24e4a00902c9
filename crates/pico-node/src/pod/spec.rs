// SPDX-License-Identifier: Apache-2.0
//! A Pod as it is read: only what this node can act upon, and a clear word where it asks for more.

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::pull::{PullPolicy, names_registry};
use crate::facts::resource;
use crate::json::{Shape, Value};
use crate::quantity;

const NAME_KEY: Shape = Shape::Keys(&[
    ("name", Shape::All),
    ("key", Shape::All),
    ("optional", Shape::All),
]);

const CONTAINER: Shape = Shape::Keys(&[
    ("name", Shape::All),
    ("image", Shape::All),
    ("imagePullPolicy", Shape::All),
    (
        "env",
        Shape::Keys(&[
            ("name", Shape::All),
            ("value", Shape::All),
            (
                "valueFrom",
                Shape::Keys(&[
                    ("configMapKeyRef", NAME_KEY),
                    ("secretKeyRef", NAME_KEY),
                    ("fieldRef", Shape::Keys(&[("fieldPath", Shape::All)])),
                    ("resourceFieldRef", Shape::All),
                ]),
            ),
        ]),
    ),
    (
        "envFrom",
        Shape::Keys(&[
            ("prefix", Shape::All),
            ("configMapRef", NAME_KEY),
            ("secretRef", NAME_KEY),
        ]),
    ),
    (
        "ports",
        Shape::Keys(&[("name", Shape::All), ("containerPort", Shape::All)]),
    ),
    (
        "resources",
        Shape::Keys(&[("limits", Shape::All), ("requests", Shape::All)]),
    ),
    (
        "volumeMounts",
        Shape::Keys(&[
            ("name", Shape::All),
            ("mountPath", Shape::All),
            ("subPath", Shape::All),
        ]),
    ),
    ("livenessProbe", Shape::All),
    ("readinessProbe", Shape::All),
    ("startupProbe", Shape::All),
    ("restartPolicy", Shape::All),
]);

const VOLUME_OF: Shape = Shape::Keys(&[
    ("name", Shape::All),
    ("secretName", Shape::All),
    ("optional", Shape::All),
    ("items", Shape::All),
]);

/// What is kept of a Pod's metadata.
pub(crate) const METADATA: Shape = Shape::Keys(&[
    ("name", Shape::All),
    ("namespace", Shape::All),
    ("uid", Shape::All),
    ("resourceVersion", Shape::All),
    ("deletionTimestamp", Shape::All),
    ("deletionGracePeriodSeconds", Shape::All),
    ("labels", Shape::All),
    (
        "ownerReferences",
        Shape::Keys(&[("kind", Shape::All), ("controller", Shape::All)]),
    ),
    ("annotations", Shape::Short),
]);

/// What is kept of a Pod's spec.
pub(crate) const SPEC: Shape = Shape::Keys(&[
    ("nodeName", Shape::All),
    ("serviceAccountName", Shape::All),
    ("restartPolicy", Shape::All),
    ("terminationGracePeriodSeconds", Shape::All),
    ("imagePullSecrets", Shape::All),
    ("initContainers", CONTAINER),
    ("containers", CONTAINER),
    (
        "volumes",
        Shape::Keys(&[
            ("name", Shape::All),
            ("configMap", VOLUME_OF),
            ("secret", VOLUME_OF),
            ("emptyDir", Shape::Keys(&[])),
            (
                "projected",
                Shape::Keys(&[(
                    "sources",
                    Shape::Keys(&[
                        ("configMap", VOLUME_OF),
                        ("secret", VOLUME_OF),
                        ("downwardAPI", Shape::All),
                        ("serviceAccountToken", Shape::Keys(&[])),
                    ]),
                )]),
            ),
            ("downwardAPI", Shape::All),
        ]),
    ),
]);

/// What is kept of a Pod's status.
pub(crate) const STATUS: Shape = Shape::Keys(&[("phase", Shape::All), ("startTime", Shape::All)]);

/// The pins that a pod wants by number, `15,16`; without it it gets the lowest that are free.
pub(crate) const PINS_ANNOTATION: &str = "pico.io/gpio-pins";

/// How many containers a pod may have.
const MAX_CONTAINERS: usize = 4;
/// How many Secrets with credentials for registries a pod may have.
const MAX_PULL_SECRETS: usize = 4;

/// When a container that ended is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RestartPolicy {
    Always,
    OnFailure,
    Never,
}

/// A ConfigMap or Secret that a pod refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) is_secret: bool,
    pub(crate) name: String,
    pub(crate) optional: bool,
}

/// Where the value of a variable comes from.
#[derive(Debug, Clone)]
pub(crate) enum EnvValue {
    Text(String),
    Key { reference: Reference, key: String },
    Fact(Fact),
}

/// All keys of a map as variables.
#[derive(Debug, Clone)]
pub(crate) struct EnvFrom {
    pub(crate) prefix: String,
    pub(crate) reference: Reference,
}

/// Files, as one source of a volume has them.
#[derive(Debug, Clone)]
pub(crate) struct Mount {
    pub(crate) path: String,
    pub(crate) sub_path: String,
    pub(crate) files: Files,
}

/// What files are made of.
#[derive(Debug, Clone)]
pub(crate) enum Files {
    /// Keys of a map.
    Map {
        reference: Reference,
        /// Key and path; empty for all keys under their own names.
        items: Vec<(String, String)>,
    },
    /// Facts of the pod, each with its path.
    Facts(Vec<(String, Fact)>),
}

/// A fact that the downward API tells.
#[derive(Debug, Clone)]
pub(crate) enum Fact {
    Field(String),
    /// A limit or request of a container, its own if none is named.
    Resource {
        container: String,
        name: String,
        divisor: u64,
    },
}

impl Fact {
    fn read(value: &Value) -> Option<Self> {
        if let Some(field) = value.at(&["fieldRef"]) {
            return Some(Self::Field(field.text(&["fieldPath"]).to_owned()));
        }
        let resource = value.at(&["resourceFieldRef"])?;
        Some(Self::Resource {
            container: resource.text(&["containerName"]).to_owned(),
            name: resource.text(&["resource"]).to_owned(),
            divisor: quantity::milli(resource.scalar(&["divisor"]))
                .filter(|d| *d > 0)
                .unwrap_or(1000),
        })
    }

    fn is_of_annotations(&self) -> bool {
        matches!(self, Self::Field(path) if path.starts_with("metadata.annotations"))
    }
}

/// What a container asks of the board.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) memory: Option<u64>,
    pub(crate) cpu_milli: Option<u64>,
    pub(crate) storage: Option<u64>,
    pub(crate) request_memory: u64,
    pub(crate) request_cpu_milli: u64,
    pub(crate) pins: u8,
    pub(crate) pwm: u8,
    pub(crate) adc: u8,
    pub(crate) led: u8,
    pub(crate) temperature: u8,
}

/// What a probe does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// `GET` of this path; 200 to 399 is success.
    Http(String),
    /// The container runs and takes connections.
    Tcp,
}

/// A probe; times in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProbeSpec {
    pub(crate) action: Action,
    pub(crate) initial_delay: u32,
    pub(crate) period: u32,
    pub(crate) timeout: u32,
    pub(crate) success: u32,
    pub(crate) failure: u32,
}

#[derive(Debug, Clone)]
pub(crate) struct ContainerSpec {
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) pull: PullPolicy,
    pub(crate) env: Vec<(String, EnvValue)>,
    pub(crate) env_from: Vec<EnvFrom>,
    pub(crate) mounts: Vec<Mount>,
    pub(crate) ask: Ask,
    pub(crate) port: Option<u16>,
    /// The name of that port, or empty.
    pub(crate) port_name: String,
    pub(crate) startup: Option<ProbeSpec>,
    pub(crate) liveness: Option<ProbeSpec>,
    pub(crate) readiness: Option<ProbeSpec>,
}

#[derive(Debug, Clone)]
pub(crate) struct Pod {
    pub(crate) uid: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) service_account: String,
    pub(crate) labels: Vec<(String, String)>,
    /// Short annotations, if something is made of them.
    pub(crate) annotations: Vec<(String, String)>,
    /// Seconds to end in, once the pod is to be deleted.
    pub(crate) deletion: Option<u32>,
    pub(crate) grace: u32,
    pub(crate) restart: RestartPolicy,
    pub(crate) init: Vec<ContainerSpec>,
    pub(crate) containers: Vec<ContainerSpec>,
    pub(crate) pins: Option<Vec<u8>>,
    /// Names of Secrets with credentials for registries; none where no image is in one.
    pub(crate) pull_secrets: Vec<String>,
    /// The phase that the API holds: a pod that ended is not started again after a restart of the node.
    pub(crate) is_over: bool,
    /// Whether it comes back under its own name and finds what it stored: one of a StatefulSet.
    pub(crate) comes_back: bool,
    /// What the pod asks for that this node does not have.
    pub(crate) unsupported: Option<String>,
}

/// Whether a Pod object belongs to this node.
pub(crate) fn is_bound_to(pod: &Value, node: &str) -> bool {
    pod.text(&["spec", "nodeName"]) == node
}

impl Pod {
    /// Reads a Pod; `None` if it has no uid or no name.
    pub(crate) fn read(value: &Value) -> Option<Self> {
        let meta = |key| value.text(&["metadata", key]).to_owned();
        let (uid, name) = (meta("uid"), meta("name"));
        if uid.is_empty() || name.is_empty() {
            return None;
        }
        let mut unsupported = None;
        let grace = value
            .integer(&["spec", "terminationGracePeriodSeconds"])
            .and_then(|s| u32::try_from(s).ok())
            .unwrap_or(30);
        let deletion = value.at(&["metadata", "deletionTimestamp"]).map(|_| {
            value
                .integer(&["metadata", "deletionGracePeriodSeconds"])
                .and_then(|s| u32::try_from(s).ok())
                .unwrap_or(grace)
        });
        let volumes = volumes(value, &mut unsupported);
        let mut read = |key| -> Vec<ContainerSpec> {
            value
                .list(&["spec", key])
                .iter()
                .map(|c| container(c, &volumes, &mut unsupported))
                .collect()
        };
        let (init, containers) = (read("initContainers"), read("containers"));
        if containers.is_empty() {
            unsupported = Some("the pod has no containers".into());
        } else if containers.len() > MAX_CONTAINERS || init.len() > MAX_CONTAINERS {
            unsupported = Some(format!("a pod may have {MAX_CONTAINERS} containers here"));
        }
        let mut pull_secrets = Vec::new();
        let mut images = init.iter().chain(&containers);
        if images.any(|container| names_registry(&container.image)) {
            for secret in value.list(&["spec", "imagePullSecrets"]) {
                match secret.text(&["name"]) {
                    "" => {}
                    name if pull_secrets.len() < MAX_PULL_SECRETS => {
                        pull_secrets.push(name.to_owned())
                    }
                    _ => {
                        unsupported = Some(format!(
                            "a pod may have {MAX_PULL_SECRETS} imagePullSecrets here"
                        ));
                    }
                }
            }
        }
        let pins = match value.text(&["metadata", "annotations", PINS_ANNOTATION]) {
            "" => None,
            text => {
                let pins: Option<Vec<u8>> =
                    text.split(',').map(|p| p.trim().parse().ok()).collect();
                if pins.is_none() {
                    unsupported = Some(format!(
                        "the annotation {PINS_ANNOTATION} is not of the form 15,16: {text:?}"
                    ));
                }
                pins
            }
        };
        Some(Self {
            uid,
            name,
            namespace: meta("namespace"),
            service_account: value.text(&["spec", "serviceAccountName"]).into(),
            labels: texts(value, "labels"),
            annotations: if init
                .iter()
                .chain(&containers)
                .any(ContainerSpec::wants_annotations)
            {
                texts(value, "annotations")
            } else {
                Vec::new()
            },
            deletion,
            grace,
            restart: match value.text(&["spec", "restartPolicy"]) {
                "Never" => RestartPolicy::Never,
                "OnFailure" => RestartPolicy::OnFailure,
                _ => RestartPolicy::Always,
            },
            init,
            containers,
            pins,
            pull_secrets,
            is_over: matches!(value.text(&["status", "phase"]), "Succeeded" | "Failed"),
            comes_back: value
                .list(&["metadata", "ownerReferences"])
                .iter()
                .any(|o| o.is_true(&["controller"]) && o.text(&["kind"]) == "StatefulSet"),
            unsupported,
        })
    }

    /// The name under which the pod's storage is kept.
    pub(crate) fn owner(&self) -> String {
        if self.comes_back {
            format!("{}/{}", self.namespace, self.name)
        } else {
            self.uid.clone()
        }
    }

    /// Every map that the pod refers to, once.
    pub(crate) fn references(&self) -> Vec<Reference> {
        let mut all: Vec<Reference> = Vec::new();
        for container in self.init.iter().chain(&self.containers) {
            let env = container.env.iter().filter_map(|(_, value)| match value {
                EnvValue::Key { reference, .. } => Some(reference),
                _ => None,
            });
            let from = container.env_from.iter().map(|from| &from.reference);
            let mounts = container
                .mounts
                .iter()
                .filter_map(|mount| match &mount.files {
                    Files::Map { reference, .. } => Some(reference),
                    Files::Facts(_) => None,
                });
            for reference in env.chain(from).chain(mounts) {
                match all
                    .iter_mut()
                    .find(|r| r.name == reference.name && r.is_secret == reference.is_secret)
                {
                    Some(known) => known.optional &= reference.optional,
                    None => all.push(reference.clone()),
                }
            }
        }
        for name in &self.pull_secrets {
            if !all.iter().any(|r| r.is_secret && r.name == *name) {
                all.push(Reference {
                    is_secret: true,
                    name: name.clone(),
                    optional: true,
                });
            }
        }
        all
    }
}

impl ContainerSpec {
    fn wants_annotations(&self) -> bool {
        let in_env = |(_, value): &(String, EnvValue)| matches!(value, EnvValue::Fact(fact) if fact.is_of_annotations());
        let in_files = |mount: &Mount| match &mount.files {
            Files::Facts(facts) => facts.iter().any(|(_, fact)| fact.is_of_annotations()),
            Files::Map { .. } => false,
        };
        self.env.iter().any(in_env) || self.mounts.iter().any(in_files)
    }
}

/// Labels or annotations.
fn texts(value: &Value, key: &str) -> Vec<(String, String)> {
    let entries = value.entries(&["metadata", key]).iter();
    entries
        .filter_map(|(key, value)| Some((key.as_ref().to_owned(), value.as_text()?.to_owned())))
        .collect()
}

struct Volume {
    name: String,
    files: Vec<Files>,
}

/// The files of a volume, or of a source of one that is projected.
fn files(source: &Value) -> Option<Files> {
    let map = |kind: &str, is_secret, name_keys: [&str; 2]| {
        let source = source.at(&[kind])?;
        let mut name = name_keys.iter().map(|key| source.text(&[key]));
        let items = source.list(&["items"]).iter();
        Some(Files::Map {
            reference: Reference {
                is_secret,
                name: name
                    .find(|name| !name.is_empty())
                    .unwrap_or_default()
                    .to_owned(),
                optional: source.is_true(&["optional"]),
            },
            items: items
                .map(|i| (i.text(&["key"]).to_owned(), i.text(&["path"]).to_owned()))
                .collect(),
        })
    };
    let facts = || {
        let items = source.at(&["downwardAPI"])?.list(&["items"]).iter();
        Some(Files::Facts(
            items
                .filter_map(|item| Some((item.text(&["path"]).to_owned(), Fact::read(item)?)))
                .collect(),
        ))
    };
    map("configMap", false, ["name", "name"])
        .or_else(|| map("secret", true, ["secretName", "name"]))
        .or_else(facts)
}

fn volumes(pod: &Value, unsupported: &mut Option<String>) -> Vec<Volume> {
    let mut all = Vec::new();
    for volume in pod.list(&["spec", "volumes"]) {
        let name = volume.text(&["name"]).to_owned();
        let mut found: Vec<Files> = files(volume).into_iter().collect();
        let sources = volume.list(&["projected", "sources"]);
        // The token of the service account is projected into every pod by the API; nothing here can use it, nor what is beside it.
        if !sources
            .iter()
            .any(|s| s.at(&["serviceAccountToken"]).is_some())
        {
            found.extend(sources.iter().filter_map(files));
        }
        let is_nothing = volume.at(&["emptyDir"]).is_some() || volume.at(&["projected"]).is_some();
        if found.is_empty() && !is_nothing {
            *unsupported = Some(format!(
                "volume {name:?} is of a kind that this node does not have"
            ));
        }
        all.push(Volume { name, files: found });
    }
    all
}

fn container(value: &Value, volumes: &[Volume], unsupported: &mut Option<String>) -> ContainerSpec {
    let name = value.text(&["name"]).to_owned();
    if !value.text(&["restartPolicy"]).is_empty() {
        *unsupported = Some(format!(
            "container {name:?} has a restart policy of its own (sidecar)"
        ));
    }
    let mut mounts = Vec::new();
    for mount in value.list(&["volumeMounts"]) {
        let volume = volumes.iter().find(|v| v.name == mount.text(&["name"]));
        for files in volume.iter().flat_map(|v| &v.files) {
            mounts.push(Mount {
                path: mount.text(&["mountPath"]).trim_end_matches('/').to_owned(),
                sub_path: mount.text(&["subPath"]).to_owned(),
                files: files.clone(),
            });
        }
    }
    let ports = value.list(&["ports"]).iter();
    let (port, port_name) = ports
        .filter_map(|port| {
            let number = port.integer(&["containerPort"])?;
            Some((u16::try_from(number).ok()?, port.text(&["name"]).to_owned()))
        })
        .next()
        .map_or((None, String::new()), |(port, name)| (Some(port), name));
    let mut probe = |key: &str| match value.at(&[key]).map(probe).transpose() {
        Ok(probe) => probe,
        Err(what) => {
            *unsupported = Some(format!("the {key} of container {name:?} {what}"));
            None
        }
    };
    let (startup, liveness, readiness) = (
        probe("startupProbe"),
        probe("livenessProbe"),
        probe("readinessProbe"),
    );
    ContainerSpec {
        image: value.text(&["image"]).to_owned(),
        pull: PullPolicy::of(value.text(&["imagePullPolicy"])),
        env: value.list(&["env"]).iter().map(variable).collect(),
        env_from: value
            .list(&["envFrom"])
            .iter()
            .filter_map(env_from)
            .collect(),
        mounts,
        ask: ask(value),
        port,
        port_name,
        startup,
        liveness,
        readiness,
        name,
    }
}

fn reference(value: &Value, is_secret: bool) -> Reference {
    Reference {
        is_secret,
        name: value.text(&["name"]).to_owned(),
        optional: value.is_true(&["optional"]),
    }
}

fn variable(value: &Value) -> (String, EnvValue) {
    let name = value.text(&["name"]).to_owned();
    let key = |kind: &str, is_secret| {
        value.at(&["valueFrom", kind]).map(|source| EnvValue::Key {
            reference: reference(source, is_secret),
            key: source.text(&["key"]).to_owned(),
        })
    };
    let from = key("configMapKeyRef", false)
        .or_else(|| key("secretKeyRef", true))
        .or_else(|| Fact::read(value.at(&["valueFrom"])?).map(EnvValue::Fact));
    (
        name,
        from.unwrap_or_else(|| EnvValue::Text(value.text(&["value"]).to_owned())),
    )
}

fn env_from(value: &Value) -> Option<EnvFrom> {
    let (map, is_secret) = match value.at(&["configMapRef"]) {
        Some(map) => (map, false),
        None => (value.at(&["secretRef"])?, true),
    };
    Some(EnvFrom {
        prefix: value.text(&["prefix"]).to_owned(),
        reference: reference(map, is_secret),
    })
}

fn ask(container: &Value) -> Ask {
    let of = |list: &str, name: &str| container.scalar(&["resources", list, name]);
    let count = |name| {
        quantity::whole(of("limits", name))
            .or_else(|| quantity::whole(of("requests", name)))
            .map_or(0, |n| u8::try_from(n).unwrap_or(u8::MAX))
    };
    let memory = quantity::whole(of("limits", "memory"));
    let cpu_milli = quantity::milli(of("limits", "cpu"));
    Ask {
        memory,
        cpu_milli,
        storage: quantity::whole(of("limits", "ephemeral-storage")),
        request_memory: quantity::whole(of("requests", "memory"))
            .or(memory)
            .unwrap_or(0),
        request_cpu_milli: quantity::milli(of("requests", "cpu"))
            .or(cpu_milli)
            .unwrap_or(0),
        pins: count(resource::PINS),
        pwm: count(resource::PWM),
        adc: count(resource::ADC),
        led: count(resource::LED),
        temperature: count(resource::TEMPERATURE),
    }
}

fn probe(value: &Value) -> Result<ProbeSpec, &'static str> {
    let number = |key, default: u32| {
        value
            .integer(&[key])
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(default)
    };
    let action = if let Some(http) = value.at(&["httpGet"]) {
        let path = http.text(&["path"]);
        Action::Http(if path.is_empty() { "/" } else { path }.to_owned())
    } else if value.at(&["tcpSocket"]).is_some() {
        Action::Tcp
    } else if value.at(&["exec"]).is_some() {
        return Err("runs a command, which an embedded container cannot");
    } else {
        return Err("is of a kind that this node does not have");
    };
    Ok(ProbeSpec {
        action,
        initial_delay: number("initialDelaySeconds", 0),
        period: number("periodSeconds", 10).max(1),
        timeout: number("timeoutSeconds", 1).max(1),
        success: number("successThreshold", 1).max(1),
        failure: number("failureThreshold", 3).max(1),
    })
}
