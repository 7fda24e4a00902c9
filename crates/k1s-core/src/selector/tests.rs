// SPDX-License-Identifier: Apache-2.0
//! Selectors read, matched and printed: one line per case.
use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn check(selector: &str, canonical: &str) {
    assert_eq!(
        LabelSelector::parse(selector).map(|s| s.to_string()),
        Ok(canonical.to_owned()),
        "{selector}"
    );
}
fn refuse(selector: &str, message: &str) {
    match LabelSelector::parse(selector) {
        Ok(read) => panic!("{selector}: {read}"),
        Err(error) => assert!(
            error.to_string().starts_with(message),
            "{selector}: {error}"
        ),
    }
}
fn matches(selector: &str, labels: &[(&str, &str)], expected: bool) {
    assert_eq!(
        LabelSelector::parse(selector).unwrap().matches(labels),
        expected,
        "{selector} {labels:?}"
    );
}

#[test]
fn label_grammar() {
    check("", "");
    check("  ", "");
    check("a", "a");
    check("!a", "!a");
    check(" a = b ", "a=b");
    check("a==b", "a==b");
    check("a=", "a=");
    check("a!=b,a.example.com/c", "a!=b,a.example.com/c");
    check("z,a", "a,z");
    check("a in (c,b,c)", "a in (b,c)");
    check("a notin(b)", "a notin (b)");
    check("a in ()", "a in ()");
    check("a in (,b)", "a in (,b)");
    check("a in (b,)", "a in (,b)");
    check("a>1,b<2", "a>1,b<2");
    check("in in (in,notin)", "in in (in,notin)");
    check("a=in", "a=in");
}

#[test]
fn label_errors() {
    refuse(
        "app in x",
        "unable to parse requirement: found 'x' expected: '('",
    );
    refuse(
        "app in (x",
        "unable to parse requirement: found '', expected: ',' or ')'",
    );
    refuse(
        "app in (",
        "unable to parse requirement: found '', expected: ',', ')' or identifier",
    );
    refuse(
        "app in (x,",
        "unable to parse requirement: found '', expected: ',', or identifier",
    );
    refuse(
        "=x",
        "found '=', expected: !, identifier, or 'end of string'",
    );
    refuse(
        "a b",
        "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt",
    );
    refuse("app=x=y", "found '=', expected: ',' or 'end of string'");
    refuse(
        ",",
        "found ',', expected: !, identifier, or 'end of string'",
    );
    refuse("app,,tier", "found ',', expected: identifier after ','");
    refuse("app=x,", "found '', expected: identifier after ','");
    refuse(
        "app>x",
        "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer",
    );
    refuse(
        "app>-x-",
        "unable to parse requirement: [values[0]: Invalid value",
    );
    refuse(
        "app===x",
        "unable to parse requirement: found '=', expected: identifier",
    );
    refuse("!app=x", "found '=', expected: ',' or 'end of string'");
    refuse(
        "app=(x)",
        "unable to parse requirement: found '(', expected: identifier",
    );
    refuse(
        "-bad=x",
        "unable to parse requirement: <nil>: Invalid value: \"-bad\": name part must consist of",
    );
    refuse(
        "app=-x",
        "unable to parse requirement: values[0][app]: Invalid value: \"-x\": a valid label must",
    );
    refuse(
        "app in (ok,bad!)",
        "unable to parse requirement: found '!', expected: ',' or ')'",
    );
    refuse(
        "/k",
        "unable to parse requirement: <nil>: Invalid value: \"/k\": prefix part must be non-empty",
    );
    refuse(
        "!",
        "unable to parse requirement: found '', expected: identifier",
    );
}

#[test]
fn label_matching() {
    matches("", &[], true);
    matches("a", &[("a", "")], true);
    matches("!a", &[("a", "")], false);
    matches("a=", &[("a", "")], true);
    matches("a=", &[], false);
    matches("a!=b", &[], true);
    matches("a!=b", &[("a", "b")], false);
    matches("a in ()", &[("a", "")], true);
    matches("a in (b,c)", &[("a", "c")], true);
    matches("a notin (b,c)", &[], true);
    matches("a>1", &[("a", "2")], true);
    matches("a>1", &[("a", "x")], false);
    matches("a<1", &[], false);
    matches("a,b=c", &[("a", "1")], false);
    assert_eq!(
        LabelSelector::parse("a in (x),b").unwrap().exact("a"),
        Some("x")
    );
    assert_eq!(
        LabelSelector::parse("a in (x,y),b").unwrap().exact("a"),
        None
    );
}

#[test]
fn label_objects() {
    let read = |object: Value| {
        LabelSelector::from_object(Some(&object))
            .map(|s| s.to_string())
            .map_err(|e| e.to_string())
    };
    assert!(LabelSelector::from_object(None).unwrap().is_nothing());
    assert_eq!(read(json!({})), Ok(String::new()));
    assert_eq!(
        read(
            json!({"matchLabels": {"b": "c"}, "matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["y", "x"]}, {"key": "z", "operator": "Exists"}]})
        ),
        Ok("a notin (x,y),b=c,z".to_owned())
    );
    assert_eq!(
        read(json!({"matchExpressions": [{"key": "a", "operator": "Near"}]})),
        Err("\"Near\" is not a valid label selector operator".to_owned())
    );
    assert!(
        read(json!({"matchExpressions": [{"key": "a", "operator": "In"}]}))
            .unwrap_err()
            .contains("can't be empty")
    );
    assert_eq!(
        format_label_selector(Some(&json!({"matchLabels": {"a": "b c"}}))),
        "<error>"
    );
    assert_eq!(format_label_selector(None), "<none>");
    let service = json!({"b": "1", "a": "2"});
    assert_eq!(
        LabelSelector::from_map(service.as_object().unwrap()).to_string(),
        "a=2,b=1"
    );
}

#[test]
fn fields() {
    let check = |text: &str, canonical: &str| {
        assert_eq!(
            FieldSelector::parse(text).map(|s| s.to_string()),
            Ok(canonical.to_owned()),
            "{text}"
        )
    };
    check("", "");
    check(",,", "");
    check("b=2,a==1", "a=1,b=2");
    check("a!=b", "a!=b");
    check("a=b\\,c\\=d\\\\", "a=b\\,c\\=d\\\\");
    check("=a", "=a");
    check("a=!b", "a=!b");
    let refuse = |text: &str, message: &str| {
        assert_eq!(FieldSelector::parse(text).unwrap_err().to_string(), message)
    };
    refuse(
        "metadata.name",
        "invalid selector: 'metadata.name'; can't understand 'metadata.name'",
    );
    refuse("a=b,c", "invalid selector: 'a=b,c'; can't understand 'c'");
    refuse(
        "a=b\\",
        "invalid field selector: invalid escape sequence: \\",
    );
    refuse(
        "a=b\\x",
        "invalid field selector: invalid escape sequence: \\x",
    );
    refuse(
        "a=b=c",
        "invalid field selector: unescaped character in value: 61",
    );
    let object = json!({"metadata": {"name": "a"}, "spec": {"on": true, "n": 3}});
    let matches = |text: &str, expected: bool| {
        assert_eq!(
            FieldSelector::parse(text).unwrap().matches_object(&object),
            expected,
            "{text}"
        )
    };
    matches("metadata.name=a,spec.on=true,spec.n=3", true);
    matches("metadata.name!=a", false);
    matches("spec.absent=", true);
    matches("spec.absent!=x", true);
    matches("spec=", true);
}

proptest! {
    #[test]
    fn label_print_parse(text in "[ab]{1,2}|(([ab!=<>(), ]|in|notin|[12]){0,12})") {
        if let Ok(selector) = LabelSelector::parse(&text) {
            prop_assert_eq!(LabelSelector::parse(&selector.to_string()).unwrap(), selector);
        }
    }
    #[test]
    fn field_print_parse(text in "[ab.=!,\\\\]{0,12}") {
        if let Ok(selector) = FieldSelector::parse(&text) {
            let again = FieldSelector::parse(&selector.to_string()).unwrap();
            let mut terms = (again.terms().to_vec(), selector.terms().to_vec());
            terms.0.sort();
            terms.1.sort();
            prop_assert_eq!(terms.0, terms.1);
        }
    }
    #[test]
    fn any_text_is_read_or_refused(text in ".{0,40}") {
        let labels: BTreeMap<String, String> = BTreeMap::new();
        let _ = LabelSelector::parse(&text).map(|s| s.matches(&labels));
        let _ = FieldSelector::parse(&text).map(|s| s.matches_object(&json!({})));
    }
}
