// SPDX-License-Identifier: Apache-2.0
//! Takes the descriptions of all types and fields from `k8s-openapi`, packs them by package, and hashes the documents' inputs.
//!
//! Written to `OUT_DIR`: `descriptions.bin`, the packed texts one after the other; `tables.rs`, where each package lies in it, the
//! documents with their hashes, and the index that `/openapi/v3` serves.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::{apis::meta::v1 as meta, version};
use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// What documents are made of beside the descriptions: a change in any of these changes the hashes.
const INPUTS: [&str; 5] = [
    "src",
    "../k1s-core/build.rs",
    "../k1s-core/data/kinds.json",
    "../k1s-core/data/schemas.json",
    "../k1s-core/src/schema.rs",
];

macro_rules! generate {
    ($generator:ident; $($($module:ident)::+: $($kind:ident)+;)+) => {
        $({
            use k8s_openapi::$($module)::+ as module;
            $($generator.subschema_for::<module::$kind>();)+
        })+
    };
}

/// The schemas of everything that documents name, and of all that these refer to.
fn schemas() -> Map<String, Value> {
    let mut generator = SchemaGenerator::default();
    generate! { generator;
        api::admissionregistration::v1: MutatingWebhookConfiguration ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding ValidatingWebhookConfiguration;
        api::admissionregistration::v1beta1: MutatingAdmissionPolicy MutatingAdmissionPolicyBinding;
        apiextensions_apiserver::pkg::apis::apiextensions::v1: CustomResourceDefinition;
        kube_aggregator::pkg::apis::apiregistration::v1: APIService;
        api::apps::v1: ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet;
        api::authentication::v1: SelfSubjectReview TokenRequest TokenReview;
        api::authorization::v1: LocalSubjectAccessReview SelfSubjectAccessReview SelfSubjectRulesReview SubjectAccessReview;
        api::autoscaling::v1: HorizontalPodAutoscaler Scale;
        api::autoscaling::v2: HorizontalPodAutoscaler;
        api::batch::v1: CronJob Job;
        api::certificates::v1: CertificateSigningRequest;
        api::coordination::v1: Lease;
        api::discovery::v1: EndpointSlice;
        api::events::v1: Event;
        api::flowcontrol::v1: FlowSchema PriorityLevelConfiguration;
        api::networking::v1: IPAddress Ingress IngressClass NetworkPolicy ServiceCIDR;
        api::node::v1: RuntimeClass;
        api::policy::v1: Eviction PodDisruptionBudget;
        api::rbac::v1: ClusterRole ClusterRoleBinding Role RoleBinding;
        api::resource::v1: DeviceClass ResourceClaim ResourceClaimTemplate ResourceSlice;
        api::scheduling::v1: PriorityClass;
        api::storage::v1: CSIDriver CSINode CSIStorageCapacity StorageClass VolumeAttachment VolumeAttributesClass;
        api::core::v1: Binding ComponentStatus ConfigMap Endpoints Event LimitRange Namespace Node PersistentVolume PersistentVolumeClaim Pod PodTemplate ReplicationController ResourceQuota Secret Service ServiceAccount;
    }
    generator.subschema_for::<meta::APIGroupList>();
    generator.subschema_for::<meta::APIResourceList>();
    generator.subschema_for::<meta::APIVersions>();
    generator.subschema_for::<meta::DeleteOptions>();
    generator.subschema_for::<meta::Patch>();
    generator.subschema_for::<meta::Status>();
    generator.subschema_for::<meta::WatchEvent<Pod>>();
    generator.subschema_for::<version::Info>();
    generator.take_definitions(true)
}

fn main() {
    for input in INPUTS {
        println!("cargo::rerun-if-changed={input}");
    }
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let mut hash = Sha256::new();
    let mut tables = String::new();
    let packed = pack(&mut tables);
    hash.update(&packed);
    fs::write(out.join("descriptions.bin"), packed).expect("the descriptions can be written");
    for input in INPUTS {
        feed(&mut hash, Path::new(input));
    }
    documents(&mut tables, &hash);
    fs::write(out.join("tables.rs"), tables).expect("the tables can be written");
}

/// Packs `{kind: {field: text}}` of each package, the text of the kind itself under an empty name.
fn pack(tables: &mut String) -> Vec<u8> {
    let mut packages: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for (name, schema) in schemas() {
        let (package, kind) = name.rsplit_once('.').expect("a schema has a package");
        let text = |schema: &Value| {
            schema["description"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        let mut texts = Map::from_iter([(String::new(), json!(text(&schema)))]);
        for (field, schema) in schema["properties"].as_object().into_iter().flatten() {
            texts.insert(field.clone(), text(schema).into());
        }
        packages
            .entry(package.to_owned())
            .or_default()
            .insert(kind.to_owned(), texts.into());
    }
    let mut packed = Vec::new();
    let _ = writeln!(
        tables,
        "pub(crate) static PACKAGES: [Package; {}] = [",
        packages.len()
    );
    for (name, kinds) in packages {
        let start = packed.len();
        packed.extend(miniz_oxide::deflate::compress_to_vec(
            Value::from(kinds).to_string().as_bytes(),
            9,
        ));
        let _ = writeln!(
            tables,
            "Package {{ name: {name:?}, start: {start}, end: {} }},",
            packed.len()
        );
    }
    tables.push_str("];\n");
    packed
}

/// Hashes a file, or all files below a folder in the order of their names.
fn feed(hash: &mut Sha256, path: &Path) {
    if path.is_dir() {
        let mut below: Vec<PathBuf> = fs::read_dir(path)
            .expect("the folder is in the crate")
            .map(|e| e.expect("an entry can be read").path())
            .collect();
        below.sort();
        for path in below {
            feed(hash, &path);
        }
    } else {
        hash.update(fs::read(path).expect("the file is in the workspace"));
    }
}

/// The documents with their hashes, and the index of them.
fn documents(tables: &mut String, inputs: &Sha256) {
    let kinds =
        fs::read_to_string("../k1s-core/data/kinds.json").expect("the kinds are in the workspace");
    let kinds: Map<String, Value> = serde_json::from_str(&kinds).expect("the kinds are JSON");
    let mut names = vec![
        "api".to_owned(),
        "apis".to_owned(),
        "version".to_owned(),
        String::new(),
    ];
    for group_version in kinds.keys() {
        match group_version.split_once('/') {
            Some((group, _)) => {
                names.extend([format!("apis/{group}"), format!("apis/{group_version}")])
            }
            None => names.push(format!("api/{group_version}")),
        }
    }
    names.sort();
    names.dedup();
    let mut paths = Map::new();
    let _ = writeln!(
        tables,
        "/// The documents by name with their hashes, sorted; that of OpenAPI v2 has no name.\npub(crate) static DOCUMENTS: [(&str, &str); {}] = [",
        names.len()
    );
    for name in names {
        let mut digest = inputs.clone();
        digest.update(&name);
        let hash: String = digest
            .finalize()
            .iter()
            .fold(String::new(), |mut hex, byte| {
                let _ = write!(hex, "{byte:02X}");
                hex
            });
        let _ = writeln!(tables, "({name:?}, {hash:?}),");
        if !name.is_empty() {
            let url = format!("/openapi/v3/{name}?hash={hash}");
            paths.insert(name, json!({"serverRelativeURL": url}));
        }
    }
    let _ = writeln!(
        tables,
        "];\n/// What `/openapi/v3` serves.\npub(crate) static INDEX: &str = {:?};",
        json!({"paths": paths}).to_string()
    );
}
