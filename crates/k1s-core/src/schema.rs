// SPDX-License-Identifier: Apache-2.0
//! The shape of the built-in kinds: what fields they have, of which type, and how they are written.
//!
//! The tables are static data made at build time from `data/schemas.json`; [`Schema::named`] finds one.

/// An object type, as `#/components/schemas` of OpenAPI has it.
#[derive(Debug)]
pub struct Schema {
    /// Name in OpenAPI: `io.k8s.api.core.v1.ConfigMap`.
    pub name: &'static str,
    /// How a value is written in JSON.
    pub form: Form,
    /// Whether server-side apply takes the whole object as one value.
    pub atomic: bool,
    /// The kinds of this schema: group, version, kind.
    pub gvks: &'static [(&'static str, &'static str, &'static str)],
    /// Names of the required fields, in the order in which OpenAPI lists them.
    pub required: &'static [&'static str],
    /// The fields, sorted by name.
    pub fields: &'static [Field],
    /// Structure and checks of an own kind; none for what is built in.
    pub custom: Option<&'static crate::custom::Structural>,
}

/// How the values of a [`Schema`] are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A map with the fields of the schema.
    Object,
    /// A string such as `100m`, or a number.
    Quantity,
    /// RFC 3339 with seconds.
    Time,
    /// RFC 3339 with microseconds.
    MicroTime,
    /// A 32-bit number or a string.
    IntOrString,
    /// Any JSON.
    Any,
}

/// The type of a field, of a list's elements or of a map's values.
#[derive(Debug)]
pub enum Shape {
    /// Text.
    String,
    /// Base64 text.
    Bytes,
    /// `true` or `false`.
    Bool,
    /// A whole number of 32 bits.
    Int32,
    /// A whole number of 64 bits.
    Int64,
    /// A number.
    Double,
    /// Any JSON.
    Any,
    /// A value with a schema of its own.
    Object(&'static Schema),
    /// A list.
    List(&'static Shape),
    /// A map with string keys.
    Map(&'static Shape),
}

/// When a field is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Left out when it is zero or empty.
    NonZero,
    /// Left out when it was not given.
    Given,
    /// Always written, as zero, `{}`, or `null` for a list.
    Always,
    /// Always written, as `null` when it was not given.
    Null,
}

/// How server-side apply sees a list or a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListType {
    /// Nothing is said: a list is one value, a map is merged.
    Plain,
    /// One value.
    Atomic,
    /// A map that is merged, and says so.
    Granular,
    /// A set of scalars.
    Set,
    /// A list of maps with [`Field::keys`].
    Keyed,
}

/// How a strategic merge patch treats a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strategy {
    /// Lists are merged by element.
    pub merge: bool,
    /// `$retainKeys` is heeded.
    pub retain_keys: bool,
    /// The patch's value replaces the other.
    pub replace: bool,
}

/// A field of a [`Schema`].
#[derive(Debug)]
pub struct Field {
    /// Name in JSON.
    pub name: &'static str,
    /// Its type.
    pub shape: Shape,
    /// When it is written.
    pub presence: Presence,
    /// Whether OpenAPI calls it required.
    pub required: bool,
    /// Default that OpenAPI states, as JSON.
    pub default: Option<&'static str>,
    /// Values that OpenAPI lists for the leaf.
    pub values: &'static [&'static str],
    /// How server-side apply sees it.
    pub list: ListType,
    /// Keys of a [`ListType::Keyed`] list.
    pub keys: &'static [&'static str],
    /// How a strategic merge patch treats it.
    pub strategy: Strategy,
    /// Key by which a strategic merge patch finds elements.
    pub merge_key: Option<&'static str>,
}

impl Schema {
    /// The field of this name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields
            .binary_search_by(|f| f.name.cmp(name))
            .ok()
            .map(|i| &self.fields[i])
    }

    /// The schema with this OpenAPI name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Schema> {
        all()
            .binary_search_by(|s| s.name.cmp(name))
            .ok()
            .map(|i| all()[i])
    }

    /// The last part of the name: `ConfigMap`.
    #[must_use]
    pub fn short_name(&self) -> &'static str {
        self.name.rsplit('.').next().unwrap_or(self.name)
    }
}

/// All schemas, sorted by name.
#[must_use]
pub fn all() -> &'static [&'static Schema] {
    &crate::tables::SCHEMAS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_are_sorted_and_found() {
        assert!(all().is_sorted_by_key(|s| s.name));
        for schema in all() {
            assert!(
                schema.fields.is_sorted_by_key(|f| f.name),
                "{}",
                schema.name
            );
            assert!(std::ptr::eq(Schema::named(schema.name).unwrap(), *schema));
        }
    }

    #[test]
    fn a_field_says_how_it_is_patched() {
        let ports = Schema::named("io.k8s.api.core.v1.ServiceSpec")
            .and_then(|s| s.field("ports"))
            .unwrap();
        assert_eq!(ports.merge_key, Some("port"));
        assert_eq!(ports.keys, ["port", "protocol"]);
        assert!(ports.strategy.merge);
    }
}
