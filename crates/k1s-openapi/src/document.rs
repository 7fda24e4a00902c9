// SPDX-License-Identifier: Apache-2.0
//! Documents: paths and schemas, written one after the other so that only the result is held whole.

use std::collections::BTreeMap;
use std::io::Write as _;

use k1s_core::kinds::{self, Kind};
use k1s_core::schema::{Schema, Shape};
use serde_json::{Value, json};

use crate::descriptions::Descriptions;
use crate::operation::Path;
use crate::parameter::Parameter;
use crate::protobuf::Writer;
use crate::schema::Dialect;
use crate::{discovery, gnostic, own, render, resource, schema};

/// How a document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON
    Json,
    /// A message of gnostic.
    Protobuf,
}

fn info() -> Value {
    json!({"title": "Kubernetes", "version": "v1.35.4"})
}

fn bearer() -> Value {
    json!({"description": "Bearer Token authentication", "in": "header", "name": "authorization", "type": "apiKey"})
}

/// The paths of a document of version 3; none when there is no such document.
pub(crate) fn paths_of(name: &str) -> Vec<Path> {
    match name.split('/').collect::<Vec<_>>().as_slice() {
        ["api"] => vec![discovery::core_versions()],
        ["apis"] => vec![discovery::groups()],
        ["version"] => vec![discovery::version()],
        ["api", version] => of_group_version("", version),
        ["apis", group] if kinds::all().iter().any(|k| k.group == *group) => {
            vec![discovery::group(group)]
        }
        ["apis", group, version] => of_group_version(group, version),
        _ => Vec::new(),
    }
}

fn of_group_version(group: &str, version: &str) -> Vec<Path> {
    let kinds: Vec<&'static Kind> = kinds::all()
        .iter()
        .filter(|k| k.group == group && k.version == version)
        .collect();
    if kinds.is_empty() {
        Vec::new()
    } else {
        resource::group_version(group, version, &kinds)
    }
}

/// The paths of a document about own kinds, with the kinds that are in it.
pub(crate) fn own_paths(
    kinds: &[&'static Kind],
    name: &str,
) -> Option<(Vec<Path>, Vec<&'static Kind>)> {
    let parts: Vec<&str> = name.split('/').collect();
    let (group, version) = match parts.as_slice() {
        ["apis", group] => (*group, ""),
        ["apis", group, version] => (*group, *version),
        _ => return None,
    };
    let fits =
        |k: &&&'static Kind| k.group == group && (version.is_empty() || k.version == version);
    let kinds: Vec<&'static Kind> = kinds.iter().filter(fits).copied().collect();
    if kinds.is_empty() {
        None
    } else if version.is_empty() {
        Some((vec![discovery::group(group)], Vec::new()))
    } else {
        Some((resource::group_version(group, version, &kinds), kinds))
    }
}

/// The paths of all own kinds.
pub(crate) fn all_own_paths(kinds: &[&'static Kind]) -> Vec<Path> {
    let mut names: Vec<String> = kinds
        .iter()
        .flat_map(|k| {
            [
                format!("apis/{}", k.group),
                format!("apis/{}/{}", k.group, k.version),
            ]
        })
        .collect();
    names.sort();
    names.dedup();
    let paths = names.iter().filter_map(|name| own_paths(kinds, name));
    paths.flat_map(|(paths, _)| paths).collect()
}

/// The schemas that the paths name, and those that these name, by name.
fn schemas_of(paths: &[Path], own: &[&'static Kind]) -> BTreeMap<&'static str, &'static Schema> {
    let mut out = BTreeMap::new();
    if !own.is_empty() {
        for name in ["ObjectMeta", "ListMeta"] {
            let name = format!("io.k8s.apimachinery.pkg.apis.meta.v1.{name}");
            if let Some(schema) = Schema::named(&name) {
                collect(schema, &mut out);
            }
        }
    }
    let operations = paths.iter().flat_map(|p| &p.operations);
    for name in operations.flat_map(|o| {
        o.content
            .into_iter()
            .chain(o.body.as_ref().map(|b| b.schema))
    }) {
        if let Some(schema) = Schema::named(name) {
            collect(schema, &mut out);
        }
    }
    out
}

/// All schemas of a document, ready to be written.
fn schemas(
    paths: &[Path],
    kinds: &[&'static Kind],
    dialect: Dialect,
    texts: &mut Descriptions,
) -> own::Schemas {
    let mut out = own::schemas(kinds, dialect, texts);
    for (name, schema) in schemas_of(paths, kinds) {
        out.insert(name, schema::schema(schema, dialect, texts));
    }
    out
}

fn collect(schema: &'static Schema, out: &mut BTreeMap<&'static str, &'static Schema>) {
    if out.insert(schema.name, schema).is_none() {
        for field in schema.fields {
            collect_shape(&field.shape, out);
        }
    }
}

fn collect_shape(shape: &'static Shape, out: &mut BTreeMap<&'static str, &'static Schema>) {
    match shape {
        Shape::Object(schema) => collect(schema, out),
        Shape::List(of) | Shape::Map(of) => collect_shape(of, out),
        _ => {}
    }
}

/// A document of version 3 about these paths.
pub(crate) fn v3(paths: &[Path], own: &[&'static Kind], format: Format) -> Vec<u8> {
    let mut texts = Descriptions::default();
    let schemas = schemas(paths, own, Dialect::V3, &mut texts);
    match format {
        Format::Json => {
            let mut out = Json::new();
            out.field("openapi", &"3.0.0".into());
            out.field("info", &info());
            out.begin("paths");
            for path in paths {
                out.field(
                    &path.path,
                    &render::path_item(path, Dialect::V3, &mut texts),
                );
            }
            out.end();
            out.begin("components");
            if !schemas.is_empty() {
                out.begin("schemas");
                for (name, schema) in &schemas {
                    out.field(name, schema);
                }
                out.end();
            }
            out.field("securitySchemes", &json!({"BearerToken": bearer()}));
            out.end();
            out.finish()
        }
        Format::Protobuf => {
            let mut out = Writer::new();
            out.string(1, "3.0.0");
            out.message(2, |w| gnostic::v3::info(w, &info()));
            out.message(4, |w| {
                for path in paths {
                    gnostic::entry(
                        w,
                        1,
                        &path.path,
                        &render::path_item(path, Dialect::V3, &mut texts),
                        gnostic::v3::path_item,
                    );
                }
            });
            out.message(5, |w| {
                if !schemas.is_empty() {
                    w.message(1, |w| {
                        for (name, schema) in &schemas {
                            gnostic::entry(w, 1, name, schema, gnostic::v3::schema_or_reference);
                        }
                    });
                }
                w.message(7, |w| {
                    gnostic::entry(w, 1, "BearerToken", &bearer(), gnostic::v3::security_scheme)
                });
            });
            out.into_bytes()
        }
    }
}

/// The document of version 2 about these paths.
pub(crate) fn v2(paths: &[Path], own: &[&'static Kind], format: Format) -> Vec<u8> {
    let mut texts = Descriptions::default();
    let schemas = schemas(paths, own, Dialect::V2, &mut texts);
    let parameters = shared(paths);
    match format {
        Format::Json => {
            let mut out = Json::new();
            out.field("swagger", &"2.0".into());
            out.field("info", &info());
            out.begin("paths");
            for path in paths {
                out.field(
                    &path.path,
                    &render::path_item(path, Dialect::V2, &mut texts),
                );
            }
            out.end();
            out.begin("definitions");
            for (name, schema) in &schemas {
                out.field(name, schema);
            }
            out.end();
            out.begin("parameters");
            for (name, parameter) in &parameters {
                out.field(
                    name,
                    &render::own_parameter(parameter, Dialect::V2, &mut texts),
                );
            }
            out.end();
            out.field("securityDefinitions", &json!({"BearerToken": bearer()}));
            out.field("security", &json!([{"BearerToken": []}]));
            out.finish()
        }
        Format::Protobuf => {
            let mut out = Writer::new();
            out.string(1, "2.0");
            out.message(2, |w| gnostic::v2::info(w, &info()));
            out.message(8, |w| {
                for path in paths {
                    gnostic::entry(
                        w,
                        2,
                        &path.path,
                        &render::path_item(path, Dialect::V2, &mut texts),
                        gnostic::v2::path_item,
                    );
                }
            });
            out.message(9, |w| {
                for (name, schema) in &schemas {
                    gnostic::entry(w, 1, name, schema, gnostic::v2::schema);
                }
            });
            out.message(10, |w| {
                for (name, parameter) in &parameters {
                    gnostic::entry(
                        w,
                        1,
                        name,
                        &render::own_parameter(parameter, Dialect::V2, &mut texts),
                        gnostic::v2::parameter,
                    );
                }
            });
            out.message(12, |w| {
                gnostic::v2::security_requirement(w, &json!({"BearerToken": []}))
            });
            out.message(13, |w| {
                gnostic::entry(w, 1, "BearerToken", &bearer(), gnostic::v2::api_key)
            });
            out.into_bytes()
        }
    }
}

/// The parameters that version 2 tells in one place, by name.
fn shared(paths: &[Path]) -> BTreeMap<&'static str, &Parameter> {
    let all = paths
        .iter()
        .flat_map(|p| &p.operations)
        .flat_map(|o| &o.parameters);
    all.filter(|p| p.is_shared()).map(|p| (p.name, p)).collect()
}

/// Writes an object of JSON key by key.
struct Json {
    out: Vec<u8>,
    /// Whether the object that is open has a key already.
    begun: bool,
}

impl Json {
    fn new() -> Self {
        Self {
            out: b"{".to_vec(),
            begun: false,
        }
    }

    fn key(&mut self, key: &str) {
        if self.begun {
            self.out.push(b',');
        }
        self.begun = true;
        // writing to a vector cannot fail
        let _ = write!(self.out, "{}:", Value::from(key));
    }

    fn field(&mut self, key: &str, value: &Value) {
        self.key(key);
        let _ = serde_json::to_writer(&mut self.out, value);
    }

    fn begin(&mut self, key: &str) {
        self.key(key);
        self.out.push(b'{');
        self.begun = false;
    }

    fn end(&mut self) {
        self.out.push(b'}');
        self.begun = true;
    }

    fn finish(mut self) -> Vec<u8> {
        self.end();
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_of_every_document() {
        for (name, _) in &crate::tables::DOCUMENTS {
            for format in [Format::Json, Format::Protobuf] {
                let bytes = if name.is_empty() {
                    crate::document_v2(&[], format)
                } else {
                    crate::document_v3(name, format).unwrap()
                };
                if format == Format::Json {
                    serde_json::from_slice::<Value>(&bytes).unwrap();
                }
            }
        }
    }
}
