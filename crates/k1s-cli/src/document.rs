// SPDX-License-Identifier: Apache-2.0
//! Documents in files and on standard input: YAML or JSON, one or several.
//!
//! Entry points: [`split`] and [`yaml`].

use serde_json::Value;

/// One YAML (or JSON) document as a value; an empty one is null.
pub(crate) fn yaml(bytes: &[u8]) -> Result<Value, String> {
    k1s_core::yaml::read(bytes).map_err(|e| e.to_string())
}

/// In the style of Go's YAML package.
pub(crate) fn print_yaml(value: &Value) -> String {
    k1s_core::yaml::print(value)
}

/// The documents of a file in their order; the first that cannot be read ends the row. Empty ones are left out.
pub(crate) fn split(bytes: &[u8]) -> Vec<Result<Value, String>> {
    let start = bytes.iter().position(|b| !b.is_ascii_whitespace());
    let documents = if start.is_some_and(|at| bytes[at] == b'{') {
        json_documents(bytes)
    } else {
        yaml_documents(bytes)
    };
    documents
        .into_iter()
        .filter(|d| !matches!(d, Ok(Value::Null)))
        .collect()
}

fn json_documents(bytes: &[u8]) -> Vec<Result<Value, String>> {
    let mut out = Vec::new();
    let mut stream = serde_json::Deserializer::from_slice(bytes).into_iter::<Value>();
    loop {
        let start = stream.byte_offset();
        match stream.next() {
            None => return out,
            Some(Ok(value)) => out.push(Ok(value)),
            Some(Err(e)) => {
                // What follows JSON may be YAML, and then its own reader has the better words.
                let rest = &bytes[start..];
                let first = rest.iter().find(|b| !b.is_ascii_whitespace());
                if first == Some(&b'-') {
                    out.extend(yaml_documents(rest));
                } else if e.is_eof() {
                    out.push(Err("unexpected EOF".to_owned()));
                } else {
                    out.push(Err(match k1s_core::json::read(rest) {
                        Err(problem) => {
                            let offset = start + problem.offset + 1;
                            format!("json: offset {offset}: {problem}")
                        }
                        Ok(_) => e.to_string(),
                    }));
                }
                return out;
            }
        }
    }
}

fn yaml_documents(bytes: &[u8]) -> Vec<Result<Value, String>> {
    let text = String::from_utf8_lossy(bytes);
    let chunks = match k1s_core::yaml::split(&text) {
        Ok(chunks) => chunks,
        Err(e) => return vec![Err(e.to_string())],
    };
    let mut out = Vec::new();
    for chunk in chunks {
        let value =
            yaml(chunk.text.as_bytes()).map_err(|e| format!("error converting YAML to JSON: {e}"));
        let broken = value.is_err();
        out.push(value);
        if broken {
            break;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_split_and_empty_ones_left_out() {
        let check = |text: &str, count: usize| {
            let found = split(text.as_bytes());
            assert!(found.iter().all(Result::is_ok), "{text:?}: {found:?}");
            assert_eq!(found.len(), count, "{text:?}");
        };
        check("", 0);
        check("---\n---\n", 0);
        check("---\n# nothing\n---\na: 1\n---\n\n---\nb: 2\n", 2);
        check("{\"a\": 1}\n{\"b\": 2}", 2);
        check("{\"a\": 1}\n---\nb: 2\n", 2);
        check("a: |\n  x\n  ---\n", 1);
        check("just words\n", 1);
    }

    #[test]
    fn a_broken_document_ends_the_row() {
        let found = split(b"a: 1\n---\nb: [\n---\nc: 3\n");
        assert_eq!((found.len(), found[1].is_err()), (2, true));
        assert_eq!(split(b"{"), [Err("unexpected EOF".to_owned())]);
    }
}
