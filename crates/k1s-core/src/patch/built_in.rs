// SPDX-License-Identifier: Apache-2.0
//! The schemas of the built-in kinds as a strategic merge patch sees them.

use super::strategic::{PatchField, PatchSchema, PatchStrategy};
use crate::schema::{Schema, Shape};

/// What is below a place in an object: a schema, or, in free-form maps and below leaves, none.
#[derive(Clone, Copy, Debug)]
pub struct BuiltIn(Option<&'static Shape>, Option<&'static Schema>);

impl BuiltIn {
    /// An object of a schema.
    #[must_use]
    pub const fn of(schema: &'static Schema) -> Self {
        Self(None, Some(schema))
    }

    /// What is below a shape: the fields of an object, the elements of a list, the values of a map.
    fn below(shape: &'static Shape) -> Self {
        match shape {
            Shape::Object(schema) => Self::of(schema),
            Shape::List(Shape::Object(schema)) => Self::of(schema),
            other => Self(Some(other), None),
        }
    }
}

impl PatchSchema for BuiltIn {
    fn field(self, name: &str) -> Option<PatchField<Self>> {
        if let Some(schema) = self.1 {
            let field = schema.field(name)?;
            return Some(PatchField {
                strategy: PatchStrategy {
                    merge: field.strategy.merge,
                    replace: field.strategy.replace,
                    retain_keys: field.strategy.retain_keys,
                },
                merge_key: field.merge_key,
                child: Self::below(&field.shape),
            });
        }
        // every key of a free-form map has the same values
        let Some(Shape::Map(values)) = self.0 else {
            return None;
        };
        Some(PatchField {
            strategy: PatchStrategy::default(),
            merge_key: None,
            child: Self::below(values),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_merged_by_name() {
        let deployment = BuiltIn::of(Schema::named("io.k8s.api.apps.v1.Deployment").unwrap());
        let below = |schema: BuiltIn, name: &str| schema.field(name).unwrap().child;
        let pod = below(below(below(deployment, "spec"), "template"), "spec");
        let containers = pod.field("containers").unwrap();
        assert!(containers.strategy.merge);
        assert_eq!(containers.merge_key, Some("name"));
        assert_eq!(
            containers.child.field("ports").unwrap().merge_key,
            Some("containerPort")
        );
        assert!(pod.field("volumes").unwrap().strategy.retain_keys);
        assert!(below(pod, "nodeSelector").field("disk").is_some());
        assert!(deployment.field("nothing").is_none());
    }
}
