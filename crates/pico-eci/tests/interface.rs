// SPDX-License-Identifier: Apache-2.0
//! The description, the C header and the Rust SDK say what the table of calls says, and nothing else.
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::path::Path;

use pico_eci::{CALLS, HostCall, ValueType};

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Compares what a file declares, line by line and sorted, with what the table has.
fn check(found: impl IntoIterator<Item = String>, expected: impl Fn(&HostCall) -> String) {
    let mut found: Vec<String> = found.into_iter().collect();
    let mut expected: Vec<String> = CALLS.iter().map(expected).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

fn parameters(call: &HostCall, of: impl Fn(&str) -> String) -> String {
    call.signature
        .parameters
        .iter()
        .map(|name| of(name))
        .collect::<Vec<_>>()
        .join(", ")
}

#[test]
fn wit() {
    let text = read("wit/pico.wit");
    let mut interface = "";
    let mut found = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("interface ") {
            interface = name.trim_end_matches(" {");
        } else if let Some((name, rest)) = line.trim().split_once(": func(") {
            let (parameters, result) = rest.trim_end_matches(';').split_once(')').unwrap();
            let parameters = parameters.replace(": u32", "").replace(": s32", "");
            found.push(format!("{interface}.{name}({parameters}){result}"));
        }
    }
    check(found, |call| {
        let result = match call.signature.result {
            Some(ValueType::I32) => " -> s32",
            Some(ValueType::I64) => " -> s64",
            None => "",
        };
        let module = call.module.trim_start_matches("pico:");
        format!(
            "{module}.{}({}){result}",
            call.name,
            parameters(call, str::to_owned)
        )
    });
}

#[test]
fn c_header() {
    let text = read("include/pico.h");
    let found = text.lines().filter(|line| line.starts_with("PICO_IMPORT("));
    let found = found.map(|line| {
        line.replace("uint32_t ", "")
            .replace("int32_t ", "int ")
            .replace("int64_t ", "long ")
    });
    check(
        found.map(|line| line.replace("(int ", "(").replace(", int ", ", ")),
        |call| {
            let result = match call.signature.result {
                Some(ValueType::I32) => "int",
                Some(ValueType::I64) => "long",
                None => "void",
            };
            let function = format!(
                "{}_{}",
                call.module.replace(':', "_"),
                call.name.replace('-', "_")
            );
            let parameters = parameters(call, |name| name.replace('-', "_"));
            let parameters = if parameters.is_empty() {
                "void"
            } else {
                &parameters
            };
            format!(
                "PICO_IMPORT(\"{}\", \"{}\") {result} {function}({parameters});",
                call.module, call.name
            )
        },
    );
}

#[test]
fn rust_sdk() {
    // a declaration may stand on several lines
    let text = read("../../sdk/pico-guest/src/raw.rs");
    let text = text
        .replace("(\n            ", "(")
        .replace(",\n            ", ", ")
        .replace(",\n        )", ")")
        .replace("\n        ->", " ->");
    let (mut module, mut name) = ("", "");
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("#[link(wasm_import_module = \"") {
            module = rest.trim_end_matches("\")]");
        } else if let Some(rest) = line.strip_prefix("#[link_name = \"") {
            name = rest.trim_end_matches("\"]");
        } else if let Some((_, rest)) = line
            .split_once("pub(crate) fn ")
            .filter(|_| line.starts_with("pub(crate) fn ") && line.ends_with(';'))
        {
            let (parameters, result) = rest.split_once('(').unwrap().1.split_once(')').unwrap();
            let parameters = parameters.replace(": u32", "").replace(": i32", "");
            found.push(format!(
                "{module}.{name}({parameters}){}",
                result.trim_end_matches(';')
            ));
        }
    }
    check(found, |call| {
        let result = match call.signature.result {
            Some(ValueType::I32) => " -> i32",
            Some(ValueType::I64) => " -> i64",
            None => "",
        };
        format!(
            "{}.{}({}){result}",
            call.module,
            call.name,
            parameters(call, |name| name.replace('-', "_"))
        )
    });
}
