// SPDX-License-Identifier: Apache-2.0
//! What is bounded: bytes, steps, depth.

use super::*;

/// Nothing loops for ever, nothing grows for ever, and what is not closed is told.
#[test]
fn bad_input_ends() {
    let check = |command: &str, code: i32, error: &str| {
        let (got, out, err) = rk1().run("root", command, "");
        let shown: String = command.chars().take(80).collect();
        assert_eq!(got, code, "{shown}: {} {err}", out.len());
        assert!(err.contains(error), "{shown}: {err}");
        assert!(out.len() + err.len() < 64 << 20, "{shown}: {}", out.len());
    };
    check("echo 'a", 2, "matching `''");
    check("echo \"a", 2, "matching `\"'");
    check("echo $(echo a", 2, "unexpected end of file");
    check("echo ${a", 2, "unexpected end of file");
    check("echo ${a!b}", 2, "bad substitution");
    check("cat <<E\nx", 2, "here-document");
    check("if true; then echo", 2, "unexpected end of file");
    check("for 1a in x; do :; done", 2, "near unexpected token `1a'");
    check("fi", 2, "near unexpected token `fi'");
    check("echo a | | b", 2, "near unexpected token `|'");
    check(")", 2, "near unexpected token");
    check("echo > ", 2, "newline");
    check("echo 3>&1", 2, "only 0, 1 and 2");
    check("while true; do :; done", 137, "Killed");
    check("until false; do echo x; done > /dev/null", 137, "Killed");
    check("f() { f; }; f", 137, "Killed");
    check("f() { f | f; }; f", 137, "Killed");
    check("f() { echo $(f); }; f", 137, "Killed");
    check("echo 'sh /loop' > /loop; sh /loop", 137, "Killed");
    check(
        "eval \"$(seq 100000 | sed 's/.*/:/')\"; true; true; true",
        137,
        "Killed",
    );
    check("x=y; while true; do x=$x$x; done", 1, "too long");
    check(
        "while read l; do seq 100000; done < /etc/passwd > /big; while true; do cat /big; done",
        137,
        "Killed",
    );
    check("yes | head -c 5", 0, "");
    check(&"(".repeat(10_000), 2, "too deeply nested");
    check(&"$(".repeat(10_000), 2, "too deeply nested");
    check(&"`".repeat(10_001), 2, "");
    check(&"if true; then ".repeat(10_000), 2, "too deeply nested");
    check(&"${a:-".repeat(10_000), 2, "too deeply nested");
    check(&"f() ".repeat(10_000), 2, "too deeply nested");
    check(
        &format!("echo a{}", "|cat".repeat(1000)),
        2,
        "too many commands in a pipe",
    );
    check(&format!("[ {} a ]", "! ".repeat(5000)), 2, "too many terms");
    check(
        &format!("echo $(({}1{}))", "(".repeat(5000), ")".repeat(5000)),
        1,
        "too deep",
    );
    check(&"x".repeat(2 << 20), 2, "script too long");
    check(
        "ln -s /a /b; ln -s /b /a; cat /a",
        1,
        "Too many levels of symbolic links",
    );
    check(
        &format!("touch {}", "x/".repeat(3000)),
        1,
        "File name too long",
    );
    check("\u{0}\u{1}\u{fffd}", 127, "not found");
    check(
        "mkdir /a /b; cd /a; touch $(seq 15000); cd /b; touch $(seq 15000)",
        1,
        "No space left on device",
    );
}

/// As deep as scripts may be, on the stack of a thread as small as any.
#[test]
fn depth_fits_the_stack() {
    let nested = format!("{}echo deep{}", "( ".repeat(12), " )".repeat(12));
    assert_eq!(rk1().run("root", &nested, "").1, "deep\n");
    let functions = "f() { if [ $1 -gt 0 ]; then f $(($1 - 1)); else echo bottom; fi; }; f 20";
    assert_eq!(rk1().run("root", functions, "").1, "bottom\n");
}
