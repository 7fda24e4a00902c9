// SPDX-License-Identifier: Apache-2.0
//! Templates: one line each.
use super::*;
use proptest::prelude::*;
use serde_json::json;

fn data() -> Value {
    json!({
        "kind": "List",
        "items": [
            {"metadata": {"name": "a", "labels": {"app": "x", "example.com/part": "left"}}, "n": 1, "f": 1.5, "on": true},
            {"metadata": {"name": "b", "labels": {"app": "y"}}, "n": 2, "env": [{"name": "E", "value": "v"}], "none": null},
            {"metadata": {"name": "c", "labels": {"app": "x"}}, "n": 3},
        ],
        "empty": [],
        "html": {"k": "<&>"},
    })
}
fn check(template: &str, expected: &str) {
    let path = JsonPath::parse(template).unwrap().allow_missing_keys(true);
    assert_eq!(path.render(&data()), Ok(expected.to_owned()), "{template}");
}
fn refuse(template: &str, message: &str) {
    let error = JsonPath::parse(template)
        .and_then(|path| path.render(&data()))
        .unwrap_err();
    assert_eq!(error.to_string(), message, "{template}");
}

#[test]
fn paths() {
    check("{.kind}", "List");
    check("{$.kind}{@.kind}{ .kind }", "ListListList");
    check("kind is {.kind}.", "kind is List.");
    check(".kind", ".kind");
    check("{.items[*].metadata.name}", "a b c");
    check(
        "{.items[0].metadata}",
        r#"{"labels":{"app":"x","example.com/part":"left"},"name":"a"}"#,
    );
    check("{.html}", r#"{"k":"\u003c\u0026\u003e"}"#);
    check("{.html.k}", "<&>");
    check("{.items[-1].metadata.name}", "c");
    check("{.items[0:2].metadata.name}", "a b");
    check("{.items[::2].metadata.name}", "a c");
    check("{.items[-2:].metadata.name}", "b c");
    check("{.items[0,2].metadata.name}", "a c");
    check("{.items[1].metadata['name','labels']}", r#"b {"app":"y"}"#);
    check(r"{.items[0].metadata.labels.example\.com/part}", "left");
    check(r"{.items[0].metadata.labels['example\.com/part']}", "left");
    check("{.items..name}", "a E b c");
    check("{..app}", "x y x");
    check(
        "{.items[*].metadata.*}",
        r#"{"app":"x","example.com/part":"left"} a {"app":"y"} b {"app":"x"} c"#,
    );
    check("{.items[*].f}{.items[*].on}{.items[*].none}", "1.5truenull");
    check("{.nothing.at.all}", "");
    check("{.empty[*]}", "");
}

#[test]
fn ranges_and_constants() {
    check(
        r#"{range .items[*]}{.metadata.name}{"\t"}{.n}{"\n"}{end}"#,
        "a\t1\nb\t2\nc\t3\n",
    );
    check("{range .items[*]}[{.n}]{end}!", "[1][2][3]!");
    check("{range .empty[*]}x{end}y", "y");
    check(
        "{range .items[*]}{.n}{range .env[*]}<{.name}>{end},{end}",
        "1,2<E>,3,",
    );
    check(
        r#"{"text"}{1}{-2}{true}{1.5}{'single'}"#,
        "text1-2true1.5single",
    );
    check(r#"{"a\"b\u00e9\x41\101"}"#, "a\"béAA");
}

#[test]
fn filters() {
    check(r#"{.items[?(@.metadata.name=="b")].n}"#, "2");
    check(
        r#"{.items[?(@.metadata.labels.app=="x")].metadata.name}"#,
        "a c",
    );
    check(r#"{.items[?(@.metadata.name!="b")].n}"#, "1 3");
    check("{.items[?(@.n>1)].n}", "2 3");
    check("{.items[?(@.n <= 2)].n}", "1 2");
    check("{.items[?(@.env)].metadata.name}", "b");
    check("{.items[*].env[?(@.name)].value}", "v");
    check("{.items[?(@.on==true)].n}", "1");
    check("{.items[?(@.x=1)]}", "");
    check(r#"{.items[?(@.metadata.name==")")].n}"#, "");
}

#[test]
fn errors() {
    refuse("{.data", "unclosed action");
    refuse("{.items[}", "unterminated array");
    refuse("{.items[?(@.x]}", "unterminated filter");
    refuse("{.items[?(@.x)}", "unclosed array expect ]");
    refuse("{.items[x]}", "invalid array index x");
    refuse("{.items[-]}", "array index - is not a number");
    refuse("{....a}", "invalid multiple recursive descent");
    refuse("{\"a}", "unterminated quoted string");
    refuse(r#"{"\q"}"#, r#"unquote string "\q" error invalid syntax"#);
    refuse("{#}", "unrecognized character in action: U+0023 '#'");
    refuse("{1.2.3}", "cannot parse number 1.2.3");
    refuse("{end}", "not in range, nothing to end");
    refuse("{foo}", "unrecognized identifier foo");
    refuse("{.none}", "none is not found");
    refuse(
        "{.items[5]}",
        "array index out of bounds: index 5, length 3",
    );
    refuse(
        "{.items[2:1]}",
        "starting index 2 is greater than ending index 1",
    );
    refuse("{.items[::-1]}", "step must be > 0");
    refuse("{.kind[0]}", "string is not array or slice");
    refuse(
        "{.html[0]}",
        "map[string]interface {} is not array or slice",
    );
    refuse(
        "{.html[?(@.a)]}",
        "map[k:<&>] is not array or slice and cannot be filtered",
    );
    refuse(
        r#"{.items[?(@.n=="1")]}"#,
        "incompatible types for comparison",
    );
    refuse("{.items[?(@.metadata==1)]}", "invalid type for comparison");
    refuse("{.items[?(@.n===1)]}", "unrecognized filter operator ===");
    let deep = JsonPath::parse(&"{.a[*][*][*]}".repeat(3)).unwrap();
    assert_eq!(
        deep.render(&json!({"a": vec![vec![vec![1; 200]; 200]; 20]})),
        Err(JsonPathError::TooMany)
    );
}

#[test]
fn as_json_and_values() {
    let path = JsonPath::parse("{.items[*].metadata.name}").unwrap();
    assert_eq!(
        path.render_json(&data()).unwrap(),
        "[\n    \"a\",\n    \"b\",\n    \"c\"\n]\n"
    );
    assert_eq!(path.values(&data()).unwrap()[0].len(), 3);
}

#[test]
fn short_paths() {
    let check = |path: &str, expected: &str| assert_eq!(relaxed(path).as_deref(), Ok(expected));
    check("", "");
    check("a.b", "{.a.b}");
    check(".a.b", "{.a.b}");
    check("{a.b}", "{.a.b}");
    check("{.a.b}", "{.a.b}");
    for bad in ["{a", "a}", "x{.a}", "{.a}{.b}", "{}"] {
        assert_eq!(relaxed(bad), Err(RelaxedPathError), "{bad}");
    }
}

proptest! {
    #[test]
    fn any_template(text in "(\\{[a-z.*\\[\\]'\":0-9@$?()=<>, -]{0,20}\\}|.{0,10}|\\{range \\.items\\[\\*\\]\\}|\\{end\\}){0,4}") {
        let _ = JsonPath::parse(&text).map(|path| path.render(&data()));
    }
}
