// SPDX-License-Identifier: Apache-2.0
//! Turns `data/schemas.json` and `data/kinds.json` into static Rust tables, so that nothing is parsed when a program starts.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::{env, fs, path::Path};

use serde_json::Value;

fn main() {
    println!("cargo::rerun-if-changed=data");
    let schemas = read("data/schemas.json");
    let kinds = read("data/kinds.json");
    let index: BTreeMap<&str, usize> = schemas
        .keys()
        .enumerate()
        .map(|(i, n)| (n.as_str(), i))
        .collect();
    let mut out = String::new();
    for (name, schema) in &schemas {
        write_schema(&mut out, name, schema, &index);
    }
    let _ = writeln!(
        out,
        "/// All schemas, sorted by name.\npub(crate) static SCHEMAS: [&Schema; {}] = [",
        schemas.len()
    );
    for i in index.values() {
        let _ = write!(out, "&S{i},");
    }
    out.push_str("];\n");
    write_kinds(&mut out, &kinds, &schemas, &index);
    let target = Path::new(&env::var("OUT_DIR").expect("cargo sets OUT_DIR")).join("tables.rs");
    fs::write(target, out).expect("the tables can be written");
}

fn read(path: &str) -> serde_json::Map<String, Value> {
    let text = fs::read_to_string(path).expect("the data is in the crate");
    match serde_json::from_str(&text).expect("the data is JSON") {
        Value::Object(map) => map,
        other => panic!("{path} holds {other} and no map"),
    }
}

fn write_schema(out: &mut String, name: &str, schema: &Value, index: &BTreeMap<&str, usize>) {
    let form = match name.rsplit('.').next().unwrap_or(name) {
        "Quantity" => "Quantity",
        "Time" => "Time",
        "MicroTime" => "MicroTime",
        "IntOrString" => "IntOrString",
        "RawExtension"
        | "FieldsV1"
        | "JSON"
        | "JSONSchemaPropsOrArray"
        | "JSONSchemaPropsOrBool"
        | "JSONSchemaPropsOrStringArray"
        | "Patch" => "Any",
        _ => "Object",
    };
    let mut fields = String::new();
    if let Some(map) = schema["fields"].as_object() {
        for (field, words) in map {
            write_field(
                &mut fields,
                field,
                words.as_str().expect("a field is a line of words"),
                index,
            );
        }
    }
    let gvks: Vec<String> = schema["gvk"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|g| {
            let mut parts = g.as_str().expect("a group/version/kind is text").split('/');
            let mut part = || parts.next().expect("group/version/kind");
            format!("({:?},{:?},{:?})", part(), part(), part())
        })
        .collect();
    let _ = writeln!(
        out,
        "static S{}: Schema = Schema {{ name: \"io.k8s.{name}\", form: Form::{form}, atomic: {}, gvks: &[{}], required: &[{}], fields: &[{fields}], custom: None }};",
        index[name],
        schema["map"] == "atomic",
        gvks.join(","),
        required(schema),
    );
}

/// The required fields, in the order of the data or of the alphabet.
fn required(schema: &Value) -> String {
    if schema["required"].is_array() {
        return list(schema, "required");
    }
    let fields = schema["fields"].as_object().into_iter().flatten();
    fields
        .filter(|(_, words)| {
            words
                .as_str()
                .is_some_and(|w| w.split(' ').any(|w| w == "required"))
        })
        .map(|(name, _)| format!("{name:?},"))
        .collect()
}

fn write_field(out: &mut String, name: &str, line: &str, index: &BTreeMap<&str, usize>) {
    let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
    let (presence, kind) = match kind {
        k if k.starts_with("=*") => ("Null", &k[2..]),
        k if k.starts_with('=') => ("Always", &k[1..]),
        k if k.starts_with('*') => ("Given", &k[1..]),
        k => ("NonZero", k),
    };
    let mut required = false;
    let (mut default, mut values, mut list, mut keys) =
        ("None".to_owned(), String::new(), "Plain", String::new());
    let (mut strategy, mut merge_key) = (String::new(), "None".to_owned());
    for word in rest.split_whitespace() {
        match word.split_once(':').unwrap_or((word, "")) {
            ("required", _) => required = true,
            ("default", json) => default = format!("Some({json:?})"),
            ("enum", all) => {
                values = all
                    .split(',')
                    .map(|v| format!("{:?},", v.replace("%20", " ")))
                    .collect()
            }
            ("set", _) => list = "Set",
            ("atomic", _) => list = "Atomic",
            ("granular", _) => list = "Granular",
            ("keys", all) => {
                list = "Keyed";
                keys = all.split(',').map(|v| format!("{v:?},")).collect();
            }
            ("patch", how) => {
                let (s, key) = how.split_once(':').unwrap_or((how, ""));
                strategy = s.to_owned();
                if !key.is_empty() {
                    merge_key = format!("Some({key:?})");
                }
            }
            _ => panic!("unknown word {word} in the field {name}: {line}"),
        }
    }
    let strategy = format!(
        "Strategy {{ merge: {}, retain_keys: {}, replace: {} }}",
        strategy.contains("merge"),
        strategy.contains("retainKeys"),
        strategy.contains("replace")
    );
    let _ = write!(
        out,
        "Field {{ name: {name:?}, shape: {}, presence: Presence::{presence}, required: {required}, default: {default}, values: &[{values}], \
         list: ListType::{list}, keys: &[{keys}], strategy: {strategy}, merge_key: {merge_key} }},",
        shape(kind, index)
    );
}

fn shape(kind: &str, index: &BTreeMap<&str, usize>) -> String {
    if let Some(of) = kind.strip_prefix("[]") {
        return format!("Shape::List(&{})", shape(of, index));
    }
    if let Some(of) = kind.strip_prefix("map[]") {
        return format!("Shape::Map(&{})", shape(of, index));
    }
    match kind {
        "string" => "Shape::String".into(),
        "bytes" => "Shape::Bytes".into(),
        "bool" => "Shape::Bool".into(),
        "int32" => "Shape::Int32".into(),
        "int64" => "Shape::Int64".into(),
        "double" => "Shape::Double".into(),
        "any" => "Shape::Any".into(),
        name => format!(
            "Shape::Object(&S{})",
            index
                .get(name)
                .unwrap_or_else(|| panic!("no schema {name}"))
        ),
    }
}

fn write_kinds(
    out: &mut String,
    kinds: &serde_json::Map<String, Value>,
    schemas: &serde_json::Map<String, Value>,
    index: &BTreeMap<&str, usize>,
) {
    let mut of_gvk = BTreeMap::new();
    for (name, schema) in schemas {
        for gvk in schema["gvk"].as_array().into_iter().flatten() {
            of_gvk
                .entry(gvk.as_str().unwrap_or_default().to_owned())
                .or_insert_with(|| index[name.as_str()]);
        }
    }
    let mut count = 0;
    let mut table = String::new();
    let mut versions = String::new();
    for (gv, resources) in kinds {
        let (group, version) = gv.split_once('/').unwrap_or(("", gv));
        let first = count;
        let resources = resources.as_array().expect("a list of resources");
        for resource in resources.iter().filter(|r| !text(r, "name").contains('/')) {
            let plural = text(resource, "name");
            let schema = match of_gvk.get(&format!("{group}/{version}/{}", text(resource, "kind")))
            {
                Some(i) => format!("&S{i}"),
                None => panic!("no schema for {gv} {plural}"),
            };
            let subresources: String = resources
                .iter()
                .filter_map(|r| subresource(r, plural, group, version))
                .collect();
            // a kind with these two columns has no words of its own
            let plain = resource["columns"]
                .as_array()
                .is_some_and(|all| all.len() == 2 && all[1][0] == "Created At");
            let columns: String = resource["columns"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|c| {
                    let word = |i: usize| c[i].as_str().unwrap_or_default();
                    format!(
                        "Column {{ name: {:?}, kind: {:?}, format: {:?}, description: {}, priority: {} }},",
                        word(0),
                        word(1),
                        word(2),
                        match word(0) {
                            "Name" if plain => "crate::kinds::NAME_DESCRIPTION",
                            _ if plain => "crate::kinds::CREATED_DESCRIPTION",
                            _ => "\"\"",
                        },
                        c[3]
                    )
                })
                .collect();
            let _ = writeln!(
                table,
                "Kind {{ group: {group:?}, version: {version:?}, kind: {:?}, plural: {plural:?}, singular: {:?}, short_names: &[{}], categories: &[{}], \
                 namespaced: {}, verbs: &[{}], schema: {schema}, columns: &[{columns}], subresources: &[{subresources}], custom: None }},",
                text(resource, "kind"),
                text(resource, "singularName"),
                list(resource, "shortNames"),
                list(resource, "categories"),
                resource["namespaced"] == true,
                list(resource, "verbs"),
            );
            count += 1;
        }
        let _ = writeln!(
            versions,
            "({group:?}, {version:?}) => KINDS.get({first}..{count}).unwrap_or_default(),"
        );
    }
    let _ = write!(
        out,
        "/// All built-in kinds, sorted by group/version and plural name.\npub(crate) static KINDS: [Kind; {count}] = [\n{table}];\n\
         /// Those of one group and version.\npub(crate) fn of_version(group: &str, version: &str) -> &'static [Kind] {{\n\
         match (group, version) {{\n{versions}_ => &[],\n}}\n}}\n"
    );
}

fn subresource(resource: &Value, plural: &str, group: &str, version: &str) -> Option<String> {
    let name = text(resource, "name")
        .strip_prefix(plural)?
        .strip_prefix('/')?;
    let or = |key: &str, other: &str| {
        if text(resource, key).is_empty() {
            other.to_owned()
        } else {
            text(resource, key).to_owned()
        }
    };
    // a resource of another group names both; the core group has no name, only a version
    let own = text(resource, "version").is_empty();
    Some(format!(
        "Subresource {{ name: {name:?}, group: {:?}, version: {:?}, kind: {:?}, verbs: &[{}] }},",
        if own {
            group.to_owned()
        } else {
            or("group", "")
        },
        or("version", version),
        text(resource, "kind"),
        list(resource, "verbs")
    ))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn list(value: &Value, key: &str) -> String {
    value[key]
        .as_array()
        .into_iter()
        .flatten()
        .map(|v| format!("{:?},", v.as_str().unwrap_or_default()))
        .collect()
}
