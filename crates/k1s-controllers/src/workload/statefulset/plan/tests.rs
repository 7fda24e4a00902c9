// SPDX-License-Identifier: Apache-2.0
use super::*;

/// One letter a pod, by ordinal from 0: R ready, A available, P pending, T on its way out, F ended, . none; lower case is of the
/// old template.
fn pods(letters: &str) -> Vec<State> {
    let state = |(ordinal, letter): (usize, char)| {
        let kind = letter.to_ascii_uppercase();
        let state = State {
            ordinal: i32::try_from(ordinal).expect("a few"),
            revision: if letter.is_lowercase() { "old" } else { "new" }.into(),
            pending: kind == 'P',
            finished: kind == 'F',
            going: kind == 'T',
            ready: matches!(kind, 'R' | 'A'),
            available: kind == 'A',
        };
        (letter != '.').then_some(state)
    };
    letters.chars().enumerate().filter_map(state).collect()
}

fn check(wanted: &Wanted, letters: &str, expected: &str) {
    let steps = steps(wanted, &pods(letters))
        .into_iter()
        .filter_map(|step| match step {
            Step::Create(n) => Some(format!("+{n}")),
            Step::Delete(n) => Some(format!("-{n}")),
            Step::Claim(n) => Some(format!("?{n}")),
            Step::Mend(_) | Step::Condemn(_) => None,
        });
    let found = steps.collect::<Vec<_>>().join(" ");
    assert_eq!(found, expected, "{letters} {wanted:?}");
}

fn three() -> Wanted {
    Wanted {
        replicas: 3,
        rolls: true,
        max_unavailable: 1,
        current_revision: "old".into(),
        update_revision: "new".into(),
        ..Wanted::default()
    }
}

#[test]
fn one_after_the_other() {
    for (letters, expected) in [
        ("", "+0"),
        ("P", "?0"),
        ("R", ""),
        ("A", "+1"),
        ("A.A", "+1"),
        ("AF", "-1"),
        ("AT", ""),
        ("AAA", ""),
        // down from the highest
        ("AAAAA", "-4"),
        ("AAAAP", "-4"),
        ("AAAAT", ""),
        ("AAAPP", ""),
        ("AAAPA", "-4"),
        ("APAAA", "?1"),
        // an update, from the highest too
        ("aaa", "-2"),
        ("aat", ""),
        ("aa", "+2"),
        ("aaP", "?2"),
        ("aaR", ""),
        ("aaA", "-1"),
        ("aAA", "-0"),
        // a broken pod of the old template blocks until somebody deletes it
        ("AAp", "?2"),
    ] {
        check(&three(), letters, expected);
    }
}

#[test]
fn all_at_once() {
    let parallel = Wanted {
        parallel: true,
        ..three()
    };
    for (letters, expected) in [
        ("", "+0 +1 +2"),
        ("P.A", "?0 +1"),
        ("AAAAA", "-4 -3"),
        ("AAAPT", "-3"),
        ("aaa", "-2"),
        ("aaP", "?2"),
        ("aap", "?2 -2"),
        ("aaA", "-1"),
    ] {
        check(&parallel, letters, expected);
    }
}

#[test]
fn strategies() {
    let partition = Wanted {
        partition: 2,
        ..three()
    };
    check(&partition, "aaa", "-2");
    check(&partition, "aaA", "");
    assert_eq!(
        (partition.revision(1), partition.revision(2)),
        ("old", "new")
    );
    let by_hand = Wanted {
        rolls: false,
        partition: 2,
        ..three()
    };
    check(&by_hand, "aaa", "");
    assert_eq!(by_hand.revision(0), "new");
    let two = Wanted {
        max_unavailable: 2,
        ..three()
    };
    check(&two, "aaa", "-2 -1");
    let from_five = Wanted {
        start: 5,
        replicas: 2,
        partition: 1,
        ..three()
    };
    check(&from_five, ".....aa", "-6");
    check(&from_five, "....Aaa", "-4");
    assert_eq!(
        (from_five.revision(5), from_five.revision(6)),
        ("old", "new")
    );
}
