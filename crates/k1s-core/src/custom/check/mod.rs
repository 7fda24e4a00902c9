// SPDX-License-Identifier: Apache-2.0
//! Whether a `CustomResourceDefinition` is right: names, versions, schemas, columns, subresources, conversion.
//!
//! What all versions say alike Kubernetes keeps once, outside of the versions, and tells its faults there
//! (`spec.validation.openAPIV3Schema…`); this does the same.

mod conversion;
mod default;
mod part;
mod schema;
mod structural;

use serde_json::{Value, json};

use crate::field::{Errors, Path};
use crate::name;
use crate::object::{at, is_true, list, text};

const SPEC: Path<'static> = Path::new("spec");
const APPROVAL: &str = "api-approved.kubernetes.io";
const APPROVAL_HELP: &str = "see https://github.com/kubernetes/enhancements/pull/1111";

/// Checks a new definition beside its metadata.
pub fn create(definition: &Value, errors: &mut Errors) {
    check_name(definition, errors);
    check_spec(definition, errors);
    check_stored_versions(definition, errors);
    check_approval(definition, errors);
    let preserves = at(definition, &["spec", "preserveUnknownFields"]);
    if preserves == Some(&Value::Bool(true)) {
        errors.invalid(
            SPEC.child("preserveUnknownFields"),
            &Value::Bool(true),
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead",
        );
    }
}

/// Checks a changed definition beside its metadata.
pub fn update(new: &Value, old: &Value, errors: &mut Errors) {
    check_spec(new, errors);
    check_stored_versions(new, errors);
    let established = list(old, &["status", "conditions"])
        .iter()
        .any(|c| text(c, &["type"]) == "Established" && text(c, &["status"]) == "True");
    let mut keep = |keys: &[&str], field: &Path<'_>| {
        let (now, before) = (at(new, keys), at(old, keys));
        crate::meta::immutable(now, before, field, errors);
    };
    let names = SPEC.child("names");
    if established {
        keep(&["spec", "scope"], &SPEC.child("scope"));
        keep(&["spec", "names", "kind"], &names.child("kind"));
    }
    keep(&["spec", "group"], &SPEC.child("group"));
    keep(&["spec", "names", "plural"], &names.child("plural"));
    // an approval that was missing before is not asked for
    let annotation = |of: &Value| text(of, &["metadata", "annotations", APPROVAL]).to_owned();
    if annotation(new) != annotation(old) {
        check_approval(new, errors);
    }
}

fn check_name(definition: &Value, errors: &mut Errors) {
    let spec = &definition["spec"];
    let own = crate::object::name(definition);
    let wanted = format!(
        "{}.{}",
        text(spec, &["names", "plural"]),
        text(spec, &["group"])
    );
    if !own.is_empty() && own != wanted {
        errors.invalid_text(
            "metadata.name",
            own,
            "must be spec.names.plural+\".\"+spec.group",
        );
    }
}

fn check_spec(definition: &Value, errors: &mut Errors) {
    let spec = &definition["spec"];
    let group = text(spec, &["group"]);
    let complaints = name::dns1123_subdomain(group);
    if group.is_empty() {
        errors.required(SPEC.child("group"), "");
    } else if !complaints.is_empty() {
        errors.invalid_text(SPEC.child("group"), group, complaints.join(","));
    } else if !group.contains('.') {
        errors.invalid_text(
            SPEC.child("group"),
            group,
            "should be a domain with at least one dot",
        );
    }
    match text(spec, &["scope"]) {
        "Cluster" | "Namespaced" => {}
        "" => errors.required(SPEC.child("scope"), ""),
        other => errors.not_supported(
            SPEC.child("scope"),
            &other.into(),
            &["Cluster", "Namespaced"],
        ),
    }
    check_versions(spec, errors);
    check_names(spec, errors);
    let shared = Shared::of(spec);
    shared.check(spec, errors);
    conversion::check(spec, errors);
}

fn check_versions(spec: &Value, errors: &mut Errors) {
    let versions = list(spec, &["versions"]);
    let path = SPEC.child("versions");
    let lacks = |v: &Value| !at(v, &["schema", "openAPIV3Schema"]).is_some_and(Value::is_object);
    for (i, version) in versions.iter().enumerate() {
        if lacks(version) {
            let at = path.index(i);
            let schema = at.child("schema");
            errors.required(schema.child("openAPIV3Schema"), "");
        }
    }
    let mut names: Vec<&str> = Vec::new();
    let mut repeats = false;
    for (i, version) in versions.iter().enumerate() {
        let own = text(version, &["name"]);
        repeats |= names.contains(&own);
        names.push(own);
        let at = path.index(i);
        label(own, own, "", at.child("name"), errors);
        let warning = version.get("deprecationWarning").filter(|w| !w.is_null());
        if let Some(warning) = warning
            && !is_true(version, &["deprecated"])
        {
            errors.invalid(
                at.child("deprecationWarning"),
                warning,
                "can only be set for deprecated versions",
            );
        }
    }
    let shown = if versions.is_empty() {
        spec.get("versions").cloned().unwrap_or(Value::Null)
    } else {
        versions.iter().map(as_kept).collect()
    };
    if repeats {
        errors.invalid(path, &shown, "must contain unique version names");
    }
    if versions.iter().filter(|v| is_true(v, &["storage"])).count() != 1 {
        errors.invalid(
            path,
            &shown,
            "must have exactly one version marked as storage version",
        );
    }
    if let Some(first) = versions.first() {
        let own = text(first, &["name"]);
        label(own, own, "", SPEC.child("version"), errors);
    }
}

/// A version as Kubernetes shows it in a fault of all versions.
fn as_kept(version: &Value) -> Value {
    json!({
        "Name": text(version, &["name"]), "Served": is_true(version, &["served"]), "Storage": is_true(version, &["storage"]),
        "Deprecated": is_true(version, &["deprecated"]), "DeprecationWarning": version.get("deprecationWarning").cloned().unwrap_or(Value::Null),
        "Schema": null, "Subresources": null, "AdditionalPrinterColumns": null, "SelectableFields": null,
    })
}

/// A DNS label that begins with a letter, or nothing.
fn label(shown: &str, value: &str, before: &str, path: Path<'_>, errors: &mut Errors) {
    if value.is_empty() {
        return;
    }
    let complaints = name::dns1035_label(value);
    if !complaints.is_empty() {
        errors.invalid_text(path, shown, format!("{before}{}", complaints.join(",")));
    }
}

fn check_names(spec: &Value, errors: &mut Errors) {
    let names = &spec["names"];
    let path = SPEC.child("names");
    for key in ["plural", "singular", "kind", "listKind"] {
        if text(names, &[key]).is_empty() {
            errors.required(path.child(key), "");
        }
    }
    const MIXED: &str = "may have mixed case, but should otherwise match: ";
    for key in ["plural", "singular"] {
        let own = text(names, &[key]);
        label(own, own, "", path.child(key), errors);
    }
    for key in ["kind", "listKind"] {
        let own = text(names, &[key]);
        label(own, &own.to_lowercase(), MIXED, path.child(key), errors);
    }
    let each = |key: &str, errors: &mut Errors| {
        let at = path.child(key);
        for (i, word) in list(names, &[key]).iter().enumerate() {
            let word = word.as_str().unwrap_or_default();
            label(word, word, "", at.index(i), errors);
        }
    };
    each("shortNames", errors);
    let kind = text(names, &["kind"]);
    if !kind.is_empty() && kind == text(names, &["listKind"]) {
        errors.invalid_text(
            path.child("listKind"),
            kind,
            "kind and listKind may not be the same",
        );
    }
    each("categories", errors);
}

/// Whether a part is the same in all versions, and so told outside of them.
struct Shared {
    schema: bool,
    subresources: bool,
    columns: bool,
    fields: bool,
}

impl Shared {
    fn of(spec: &Value) -> Self {
        let versions = list(spec, &["versions"]);
        let same = |key: &str| {
            let mut all = versions.iter().map(|v| v.get(key).filter(|p| !p.is_null()));
            let first = all.next();
            first.is_some_and(|first| all.all(|other| other == first))
        };
        Self {
            schema: same("schema"),
            subresources: same("subresources"),
            columns: same("additionalPrinterColumns"),
            fields: same("selectableFields"),
        }
    }

    fn check(&self, spec: &Value, errors: &mut Errors) {
        for (i, version) in list(spec, &["versions"]).iter().enumerate() {
            let at = format!("spec.versions[{i}]");
            let first = i == 0;
            let own = |shared: bool, above: &str, key: &str| match (shared, first) {
                (true, true) => Some(format!("spec.{above}")),
                (true, false) => None,
                (false, _) => Some(format!("{at}.{key}")),
            };
            if let (Some(path), Some(schema)) = (
                own(self.schema, "validation", "schema"),
                version
                    .get("schema")
                    .and_then(|s| s.get("openAPIV3Schema"))
                    .filter(|s| s.is_object()),
            ) {
                let has_status = at_status(version);
                schema::check_root(
                    schema,
                    has_status,
                    &format!("{path}.openAPIV3Schema"),
                    errors,
                );
            }
            if let Some(path) = own(self.subresources, "subresources", "subresources") {
                part::subresources(&version["subresources"], &path, errors);
            }
            if let Some(path) = own(
                self.columns,
                "additionalPrinterColumns",
                "additionalPrinterColumns",
            ) {
                part::columns(list(version, &["additionalPrinterColumns"]), &path, errors);
            }
            if let Some(path) = own(self.fields, "selectableFields", "selectableFields") {
                part::selectable(version, &path, errors);
            }
        }
    }
}

fn at_status(version: &Value) -> bool {
    at(version, &["subresources", "status"]).is_some_and(|s| !s.is_null())
}

fn check_stored_versions(definition: &Value, errors: &mut Errors) {
    let path = Path::new("status");
    let path = path.child("storedVersions");
    let stored = list(definition, &["status", "storedVersions"]);
    let versions = list(definition, &["spec", "versions"]);
    if stored.is_empty() {
        errors.invalid(path, &Value::Null, "must have at least one stored version");
        return;
    }
    for (i, own) in stored.iter().enumerate() {
        let own = own.as_str().unwrap_or_default();
        if !versions.iter().any(|v| text(v, &["name"]) == own) {
            errors.invalid_text(
                path.index(i),
                own,
                format!(
                    "missing from spec.versions; {own} was previously a storage version, and must remain in spec.versions until a \
                     storage migration ensures no data remains persisted in {own} and removes {own} from status.storedVersions"
                ),
            );
        }
    }
    let storage = versions.iter().rfind(|v| is_true(v, &["storage"]));
    if let Some(storage) = storage.map(|v| text(v, &["name"]))
        && !stored.iter().any(|s| s == storage)
    {
        errors.invalid(
            path,
            &Value::from(stored),
            format!("must have the storage version {storage}"),
        );
    }
}

/// Whether a group belongs to Kubernetes.
#[must_use]
pub fn is_protected(group: &str) -> bool {
    ["k8s.io", "kubernetes.io"]
        .iter()
        .any(|own| group == *own || group.ends_with(&format!(".{own}")))
}

/// What the annotation of a protected group says: an address that approves, a reason why not, or neither.
#[must_use]
pub fn approval(definition: &Value) -> Approval<'_> {
    let own = text(definition, &["metadata", "annotations", APPROVAL]);
    let address = own
        .strip_prefix("https://")
        .or_else(|| own.strip_prefix("http://"));
    if own.is_empty() {
        Approval::Missing
    } else if own.starts_with("unapproved") {
        Approval::Bypassed(own)
    } else if address.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/')) {
        Approval::Approved(own)
    } else {
        Approval::Invalid(own)
    }
}

/// What the annotation of a protected group says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approval<'a> {
    /// There is none.
    Missing,
    /// It was approved there.
    Approved(&'a str),
    /// It says that it is not approved.
    Bypassed(&'a str),
    /// It says neither.
    Invalid(&'a str),
}

fn check_approval(definition: &Value, errors: &mut Errors) {
    if !is_protected(text(definition, &["spec", "group"])) {
        return;
    }
    let path = Path::new("metadata");
    let path = path.child("annotations");
    let path = path.key(APPROVAL);
    match approval(definition) {
        Approval::Approved(_) | Approval::Bypassed(_) => {}
        Approval::Missing => errors.required(
            path,
            &format!(
                "protected groups must have approval annotation \"{APPROVAL}\", {APPROVAL_HELP}"
            ),
        ),
        Approval::Invalid(own) => errors.invalid_text(
            path,
            own,
            format!(
                "protected groups must have approval annotation \"{APPROVAL}\" with either a URL or a reason starting with \"unapproved\", {APPROVAL_HELP}"
            ),
        ),
    }
}
