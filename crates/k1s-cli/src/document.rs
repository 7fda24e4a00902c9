// SPDX-License-Identifier: Apache-2.0
//! Documents in files and on standard input: YAML or JSON, one or several.
//!
//! Entry points: [`split`], [`objects`] and [`yaml`].

use k1s_core::object::text;
use k1s_core::quote::Quoted;
use serde_json::Value;

/// One YAML (or JSON) document as a value; an empty one is null.
pub(crate) fn yaml(bytes: &[u8]) -> Result<Value, String> {
    k1s_core::yaml::read(bytes).map_err(|e| e.to_string())
}

/// In the style of Go's YAML package.
pub(crate) fn print_yaml(value: &Value) -> String {
    k1s_core::yaml::print(value)
}

/// Where in its file a document stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its number in the file, from 1; documents without content count, as they do for a reader.
    pub(crate) document: usize,
    /// Its first line in the file, from 1.
    pub(crate) line: usize,
    /// Whether the file has other documents.
    pub(crate) one_of_several: bool,
}

impl Place {
    /// The file and what of it is meant, for an error: `"f.yaml", document 2, line 7, item 3`.
    pub(crate) fn within(&self, source: &str, item: &str) -> String {
        let mut place = Quoted(source).to_string();
        if self.one_of_several {
            place += &format!(", document {}, line {}", self.document, self.line);
        }
        if !item.is_empty() {
            place += &format!(", item {item}");
        }
        place
    }
}

/// Why the metadata of an object cannot be that of any, whatever its kind.
pub(crate) fn metadata_complaint(object: &Value) -> Option<String> {
    let metadata = object.get("metadata")?;
    // any kind will do: their metadata is the same
    let kind = k1s_core::kinds::of_kind("", "v1", "ConfigMap")?;
    let mut only = serde_json::json!({ "metadata": metadata });
    k1s_core::decode::decode(kind.schema, &mut only)
        .err()
        .map(|e| e.to_string())
}

/// A document, or why it cannot be read; the reason says the line in the whole file.
pub(crate) struct Part {
    pub(crate) place: Place,
    pub(crate) value: Result<Value, String>,
}

/// The documents of a file in their order; the first that cannot be read ends the row. Empty ones are left out.
pub(crate) fn split(bytes: &[u8]) -> Vec<Part> {
    let start = bytes.iter().position(|b| !b.is_ascii_whitespace());
    let mut documents = Vec::new();
    if start.is_some_and(|at| bytes[at] == b'{') {
        json_documents(bytes, &mut documents);
    } else {
        yaml_documents(bytes, 1, &mut documents);
    }
    documents.retain(|d| !matches!(d.value, Ok(Value::Null)));
    documents
}

fn push(out: &mut Vec<Part>, line: usize, one_of_several: bool, value: Result<Value, String>) {
    let place = Place {
        document: out.len() + 1,
        line,
        one_of_several,
    };
    out.push(Part { place, value });
}

fn json_documents(bytes: &[u8], out: &mut Vec<Part>) {
    let mut stream = serde_json::Deserializer::from_slice(bytes).into_iter::<Value>();
    loop {
        let start = stream.byte_offset();
        let rest = &bytes[start..];
        let blank = rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
        let line = line_at(bytes, start + blank);
        match stream.next() {
            None => break,
            Some(Ok(value)) => push(out, line, true, Ok(value)),
            Some(Err(e)) => {
                // What follows JSON may be YAML, and then its own reader has the better words.
                if rest.get(blank) == Some(&b'-') {
                    yaml_documents(&rest[blank..], line, out);
                } else if e.is_eof() {
                    push(out, line, true, Err("unexpected EOF".to_owned()));
                } else {
                    let why = match k1s_core::json::read(rest) {
                        Err(problem) => {
                            let offset = start + problem.offset + 1;
                            let line = line_at(bytes, start) + problem.line - 1;
                            format!("json: offset {offset} (line {line}): {problem}")
                        }
                        Ok(_) => e.to_string(),
                    };
                    push(out, line, true, Err(why));
                }
                break;
            }
        }
    }
    if let [only] = out.as_mut_slice() {
        only.place.one_of_several = false;
    }
}

/// Documents of a text that starts at a line of the file, behind those that were read already.
fn yaml_documents(bytes: &[u8], first: usize, out: &mut Vec<Part>) {
    let text = String::from_utf8_lossy(bytes);
    let chunks = match k1s_core::yaml::split(&text) {
        Ok(chunks) => chunks,
        Err(e) => {
            let line = first + e.line - 1;
            return push(out, line, false, Err(format!("line {line}: {e}")));
        }
    };
    let several = !out.is_empty() || chunks.len() > 1;
    for chunk in chunks {
        let first = first + chunk.line - 1;
        let value = k1s_core::yaml::read(chunk.text.as_bytes()).map_err(|e| {
            let why = if several {
                e.at_line(first)
            } else {
                e.to_string()
            };
            format!("error converting YAML to JSON: {why}")
        });
        let blank = chunk.text.lines().take_while(|line| is_blank(line)).count();
        let broken = value.is_err();
        push(out, first + blank, several, value);
        if broken {
            break;
        }
    }
}

/// The objects of a list, each with its number in it (of lists within lists `2.1`), or the object itself without one.
pub(crate) fn objects(value: Value) -> Vec<(String, Value)> {
    let mut out = Vec::new();
    flatten(value, String::new(), &mut out);
    out
}

fn flatten(mut value: Value, number: String, out: &mut Vec<(String, Value)>) {
    let kind = text(&value, &["kind"]).to_owned();
    let Some(item_kind) = kind
        .strip_suffix("List")
        .filter(|_| value["items"].is_array())
    else {
        return out.push((number, value));
    };
    let version = value["apiVersion"].clone();
    let Value::Array(items) = value["items"].take() else {
        return;
    };
    for (index, mut item) in items.into_iter().enumerate() {
        // The items of a list of one kind need not say what they are.
        if !item_kind.is_empty() && text(&item, &["kind"]).is_empty() && item.is_object() {
            item["kind"] = item_kind.into();
            item["apiVersion"] = version.clone();
        }
        let dot = if number.is_empty() { "" } else { "." };
        flatten(item, format!("{number}{dot}{}", index + 1), out);
    }
}

/// Whether a line of YAML has no content.
fn is_blank(line: &str) -> bool {
    let rest = line.strip_prefix("---").unwrap_or(line).trim_start();
    rest.is_empty() || rest.starts_with('#')
}

/// The line of an offset, from 1.
fn line_at(bytes: &[u8], offset: usize) -> usize {
    let before = bytes.get(..offset).unwrap_or(bytes);
    before.iter().filter(|b| **b == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_split_and_empty_ones_left_out() {
        let check = |text: &str, count: usize| {
            let found = split(text.as_bytes());
            for part in &found {
                assert!(part.value.is_ok(), "{text:?}: {:?}", part.value);
            }
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
    fn lists_are_taken_apart_and_their_items_counted() {
        let item =
            |number: &str, kind: &str| (number.to_owned(), serde_json::json!({"kind": kind}));
        let list = serde_json::json!({"kind": "List", "items": [{"kind": "A"}, {"kind": "List", "items": [{"kind": "B"}, {"kind": "C"}]}]});
        assert_eq!(
            objects(list),
            [item("1", "A"), item("2.1", "B"), item("2.2", "C")]
        );
        assert_eq!(objects(serde_json::json!({"kind": "A"})), [item("", "A")]);
        let maps = serde_json::json!({"apiVersion": "v1", "kind": "ConfigMapList", "items": [{}]});
        assert_eq!(
            objects(maps),
            [(
                "1".to_owned(),
                serde_json::json!({"apiVersion": "v1", "kind": "ConfigMap"})
            )]
        );
    }

    #[test]
    fn metadata_has_types() {
        let check = |metadata: Value, expected: Option<&str>| {
            let object = serde_json::json!({"kind": "Any", "metadata": metadata});
            assert_eq!(metadata_complaint(&object).as_deref(), expected);
        };
        check(
            serde_json::json!({"name": "a", "labels": {"x": "y"}, "more": 1}),
            None,
        );
        check(Value::Null, None);
        check(
            serde_json::json!({"labels": {"x": true}}),
            Some(
                "json: cannot unmarshal bool into Go struct field ObjectMeta.metadata.labels of type string",
            ),
        );
    }

    /// Document, line, and whether there are others; of one that is broken why.
    fn places(text: &str) -> Vec<(usize, usize, bool, String)> {
        split(text.as_bytes())
            .into_iter()
            .map(|part| {
                let place = part.place;
                let why = part.value.err().unwrap_or_default();
                (place.document, place.line, place.one_of_several, why)
            })
            .collect()
    }

    #[test]
    fn a_broken_document_ends_the_row() {
        let found = split(b"a: 1\n---\nb: [\n---\nc: 3\n");
        assert_eq!((found.len(), found[1].value.is_err()), (2, true));
        assert_eq!(
            places("{"),
            [(1, 1, false, "unexpected EOF".to_owned())],
            "JSON that ends early"
        );
    }

    #[test]
    fn places_are_counted_in_the_whole_file() {
        let check = |text: &str, expected: &[(usize, usize, bool, &str)]| {
            let found = places(text);
            let found: Vec<_> = found
                .iter()
                .map(|(d, l, s, w)| (*d, *l, *s, w.as_str()))
                .collect();
            assert_eq!(found, expected, "{text:?}");
        };
        let yaml = "error converting YAML to JSON: yaml: ";
        check("a: 1\n", &[(1, 1, false, "")]);
        check("---\n# words\na: 1\n", &[(1, 3, false, "")]);
        check(
            "a: 1\n---\n\n# words\nb: 2\n",
            &[(1, 1, true, ""), (2, 5, true, "")],
        );
        check(
            "a: 1\n---\n# nothing\n---\nb: 2\n",
            &[(1, 1, true, ""), (3, 5, true, "")],
        );
        check(
            "a: b: c\n",
            &[(
                1,
                1,
                false,
                &format!("{yaml}mapping values are not allowed in this context"),
            )],
        );
        check(
            "a: 1\n---\na: b: c\n",
            &[
                (1, 1, true, ""),
                (
                    2,
                    3,
                    true,
                    &format!("{yaml}line 3: mapping values are not allowed in this context"),
                ),
            ],
        );
        check(
            "a: 1\n---\nb: 2\n---\nc:\n  d: 1\n   e: 2\n",
            &[
                (1, 1, true, ""),
                (2, 3, true, ""),
                (
                    3,
                    5,
                    true,
                    &format!("{yaml}line 7: mapping values are not allowed in this context"),
                ),
            ],
        );
        check(
            "a: *b\n---\nc: 1\n",
            &[(
                1,
                1,
                true,
                &format!("{yaml}line 1: unknown anchor 'b' referenced"),
            )],
        );
        check(
            "a: 1\n--- b\n",
            &[(1, 2, false, "line 2: invalid Yaml document separator: b")],
        );
        check(
            "{\"a\": 1}\n\n{\"b\": 2}",
            &[(1, 1, true, ""), (2, 3, true, "")],
        );
        check(
            "{\"a\": 1}\n---\nb: [\n",
            &[
                (1, 1, true, ""),
                (
                    2,
                    3,
                    true,
                    &format!("{yaml}line 3: did not find expected node content"),
                ),
            ],
        );
        check(
            "{\"a\": 1}\n{\"b\":\n x}",
            &[
                (1, 1, true, ""),
                (
                    2,
                    2,
                    true,
                    "json: offset 17 (line 3): invalid character 'x' looking for beginning of value",
                ),
            ],
        );
    }
}
