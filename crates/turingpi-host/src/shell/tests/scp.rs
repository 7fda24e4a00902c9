// SPDX-License-Identifier: Apache-2.0
//! Files that go through `scp`.

use super::*;

/// The old protocol of `scp`, from both sides.
#[test]
fn files_by_scp() {
    let module = ubuntu();
    let check = |command: &str, sent: &str, code: i32, answered: &str| {
        let (got, out, err) = module.run("ubuntu", command, sent);
        assert_eq!((got, out.as_str()), (code, answered), "{command}: {err}");
    };
    check("scp -vt /tmp", "C0755 6 a.sh\nhello\n\0", 0, "\0\0\0");
    check(
        "ls -l /tmp/a.sh | cut -c1-10; cat /tmp/a.sh",
        "",
        0,
        "-rwxr-xr-x\nhello\n",
    );
    // under another name, over what is there, nothing at all
    check(
        "scp -p -t /tmp/b",
        "T1 0 1 0\nC0600 2 a\nxy\0",
        0,
        "\0\0\0\0",
    );
    check(
        "scp -t -- b",
        "C0600 0 a\n\0C0600 1 b\nz\0",
        0,
        "\0\0\0\0\0",
    );
    check("stat -c '%a %s' /tmp/b b; cat b", "", 0, "600 2\n600 1\nz");
    let tree = "D0755 0 d\nC0644 1 f\n1\0D0700 0 e\nC0644 1 g\n2\0E\nE\n";
    check("scp -rvt /tmp", tree, 0, &"\0".repeat(9));
    check("cd /tmp/d; cat f e/g; stat -c %a e", "", 0, "12700\n");
    check(
        "scp -rt /tmp/new",
        "D0755 0 d\nC0644 1 f\n1\0E\n",
        0,
        &"\0".repeat(5),
    );
    check("cat /tmp/new/f", "", 0, "1");
    let told = "\0\u{1}scp: /etc/x: Permission denied\n";
    check("scp -t /etc", "C0644 1 x\n", 1, told);
    check(
        "scp -t /tmp",
        "D0755 0 d\n",
        1,
        "\0\u{1}scp: protocol error: \"D0755 0 d\"\n",
    );
    for name in ["../x", "a/b", "..", ""] {
        let line = format!("C0644 1 {name}");
        check(
            "scp -t /tmp",
            &format!("{line}\n"),
            1,
            &format!("\0\u{1}scp: protocol error: {line:?}\n"),
        );
    }
    check("scp -t /tmp", "C0644 99 x\nhalf", 1, "\0\0");
    check(
        "scp -t /tmp",
        "E\n",
        1,
        "\0\u{1}scp: protocol error: no directory is open\n",
    );
    check("scp -f /tmp/a.sh", "\0\0\0", 0, "C0755 6 a.sh\nhello\n\0");
    let given = "D0755 0 d\nD0700 0 e\nC0644 1 g\n2\0E\nC0644 1 f\n1\0E\n";
    check("scp -r -f /tmp/d", &"\0".repeat(9), 0, given);
    check(
        "scp -f /none /tmp/d",
        "\0",
        1,
        "\u{1}scp: /none: No such file or directory\n\u{1}scp: /tmp/d: Is a directory\n",
    );
    check("scp a host:b", "", 1, "");
}
