// SPDX-License-Identifier: Apache-2.0
//! The merge rules of the built-in kinds, out of their schemas.

use super::schema::{PatchField, PatchSchema, PatchStrategy};
use crate::schema::{Schema, Shape};

/// The merge rules of a built-in type.
///
/// # Examples
/// ```
/// use k1s_core::patch::strategic::{BuiltIn, PatchSchema};
/// let service = BuiltIn::named("io.k8s.api.core.v1.Service").unwrap();
/// let ports = service.field("spec").and_then(|spec| spec.child.field("ports")).unwrap();
/// assert_eq!(ports.merge_key, Some("port"));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct BuiltIn(Option<&'static Schema>);

impl BuiltIn {
    /// The rules of a schema.
    pub fn new(schema: &'static Schema) -> Self {
        Self(Some(schema))
    }

    /// The rules of the schema with this OpenAPI name.
    pub fn named(name: &str) -> Option<Self> {
        Schema::named(name).map(Self::new)
    }
}

impl PatchSchema for BuiltIn {
    fn field(self, name: &str) -> Option<PatchField<Self>> {
        let field = self.0?.field(name)?;
        let child = match &field.shape {
            Shape::Object(schema) | Shape::List(Shape::Object(schema)) => Some(*schema),
            // Maps with free keys and scalars have no fields.
            _ => None,
        };
        let strategy = PatchStrategy {
            merge: field.strategy.merge,
            replace: field.strategy.replace,
            retain_keys: field.strategy.retain_keys,
        };
        Some(PatchField {
            strategy,
            merge_key: field.merge_key,
            child: Self(child),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The strategy and key of a field by its path, such as `merge name`.
    fn check(kind: &str, path: &str, expected: &str) {
        let mut schema = BuiltIn::named(kind).unwrap();
        let mut found = None;
        for name in path.split('.') {
            let field = schema
                .field(name)
                .unwrap_or_else(|| panic!("{kind} {path}: no {name}"));
            schema = field.child;
            found = Some(field);
        }
        let field = found.unwrap();
        let mut words = Vec::new();
        words.extend(field.strategy.merge.then_some("merge"));
        words.extend(field.strategy.replace.then_some("replace"));
        words.extend(field.strategy.retain_keys.then_some("retainKeys"));
        words.extend(field.merge_key);
        assert_eq!(words.join(" "), expected, "{kind} {path}");
    }

    #[test]
    fn built_in_metadata() {
        let pod = |path: &str, expected: &str| check("io.k8s.api.core.v1.Pod", path, expected);
        pod("metadata.finalizers", "merge");
        pod("metadata.ownerReferences", "merge uid");
        pod("metadata.labels", "");
        pod("spec.containers", "merge name");
        pod("spec.initContainers", "merge name");
        pod("spec.ephemeralContainers", "merge name");
        pod("spec.containers.env", "merge name");
        pod("spec.containers.ports", "merge containerPort");
        pod("spec.containers.volumeMounts", "merge mountPath");
        pod("spec.containers.volumeDevices", "merge devicePath");
        pod("spec.containers.args", "");
        pod("spec.volumes", "merge retainKeys name");
        pod("spec.imagePullSecrets", "merge name");
        pod("spec.hostAliases", "merge ip");
        pod("spec.topologySpreadConstraints", "merge topologyKey");
        pod("spec.tolerations", "");
        pod("status.podIPs", "merge ip");
        pod("status.conditions", "merge type");
        check("io.k8s.api.core.v1.Service", "spec.ports", "merge port");
        check("io.k8s.api.core.v1.ServiceAccount", "secrets", "merge name");
        check(
            "io.k8s.api.apps.v1.Deployment",
            "spec.strategy",
            "retainKeys",
        );
        check(
            "io.k8s.api.apps.v1.Deployment",
            "spec.template.spec.containers",
            "merge name",
        );
        check("io.k8s.api.core.v1.Node", "spec.taints", "");
        check("io.k8s.api.rbac.v1.Role", "rules", "");
    }
}
