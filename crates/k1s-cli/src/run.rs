// SPDX-License-Identifier: Apache-2.0
//! From the words of a command line to an exit code.
//!
//! Entry point: [`run`].

use crate::PROGRAM;
use crate::command::{Command, suggestions};
use crate::context::{self, Context, Host};
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed, takes_next};
use crate::help;

/// Runs the command that the words (without the program's name) ask for, and gives the exit code.
pub async fn run(root: &'static Command, host: Host, words: &[String]) -> i32 {
    let (command, path, rest) = choose(root, words);
    let globals = context::FLAGS;
    let mut tables: Vec<&'static [Flag]> = command.flags.to_vec();
    tables.push(globals);
    let parsed = Parsed::parse(tables, &rest).map(|mut parsed| {
        parsed.path.clone_from(&path);
        parsed
    });
    let (parsed, fault) = match parsed {
        Ok(parsed) => (parsed, None),
        Err(source) => (
            Parsed::default(),
            Some(Error::Flag {
                source,
                path: path.clone(),
            }),
        ),
    };
    let context = Context::new(host, parsed.of_table(globals), root);
    let mut outcome = match fault {
        Some(fault) => Err(fault),
        None => carry_out(root, command, &context, &parsed).await,
    };
    if outcome.is_ok() {
        outcome = context.flush();
    } else {
        // The error goes on; that its output cannot be written adds nothing.
        let _ = context.flush();
    }
    if outcome.is_ok() && parsed.on("warnings-as-errors") && context.warnings() > 0 {
        let n = context.warnings();
        outcome = Err(Error::message(format!(
            "{n} warning{} received",
            if n == 1 { "" } else { "s" }
        )));
    }
    match outcome {
        Ok(()) => 0,
        Err(e) => {
            let text = e.render();
            if !text.is_empty() {
                context.talk(text.strip_suffix('\n').unwrap_or(&text));
            }
            e.exit_code()
        }
    }
}

/// Finds the command among the words; flags may stand before and between its names.
fn choose(root: &'static Command, words: &[String]) -> (&'static Command, String, Vec<String>) {
    let (mut command, mut path) = (root, Vec::new());
    let mut rest = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            rest.push(word.clone());
            break;
        }
        if word.len() > 1 && word.starts_with('-') {
            rest.push(word.clone());
            let mut tables = command.flags.to_vec();
            tables.push(context::FLAGS);
            if takes_next(&tables, word) {
                rest.extend(words.next().cloned());
            }
            continue;
        }
        match command.subcommand(word) {
            Some(found) => {
                command = found;
                path.push(found.name);
                if command.subcommands.is_empty() {
                    break;
                }
            }
            None => {
                rest.push(word.clone());
                break;
            }
        }
    }
    rest.extend(words.cloned());
    (command, path.join(" "), rest)
}

async fn carry_out(
    root: &'static Command,
    command: &'static Command,
    context: &Context,
    parsed: &Parsed,
) -> Result {
    if parsed.help {
        return context.print(help::of(command, &parsed.path));
    }
    let missing = parsed.missing();
    if !missing.is_empty() {
        return Err(Error::message(format!(
            "required flag(s) \"{}\" not set",
            missing.join("\", \"")
        )));
    }
    if let Some(run) = command.run {
        return run(context, parsed).await;
    }
    let Some(word) = parsed.args.first() else {
        let help = help::of(command, &parsed.path);
        return match std::ptr::eq(root, command) {
            true => context.print(help),
            // Half a command is a mistake.
            false => Err(Error::Text(help)),
        };
    };
    if !std::ptr::eq(root, command) {
        return Err(Error::Usage {
            message: format!("unknown command \"{}\"", parsed.args.join(" ")),
            path: parsed.path.clone(),
        });
    }
    let mut message = format!("unknown command \"{word}\" for \"{PROGRAM}\"");
    let near = suggestions(word, command.subcommands.iter().map(|c| c.name));
    if !near.is_empty() {
        message.push_str("\n\nDid you mean this?");
        for name in near {
            message.push_str("\n\t");
            message.push_str(name);
        }
    }
    Err(Error::message(message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::ROOT;

    #[test]
    fn the_command_is_found_among_flags() {
        let check = |line: &str, path: &str, rest: &str| {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let (_, found, left) = choose(&ROOT, &words);
            assert_eq!(
                (found.as_str(), left.join(" ").as_str()),
                (path, rest),
                "{line}"
            );
        };
        check("version cm a", "version", "cm a");
        check("-n ns version a", "version", "-n ns a");
        check(
            "--namespace=ns options options",
            "options",
            "--namespace=ns options",
        );
        check("fly get", "", "fly get");
    }

    /// The words of an example as a shell would split them, up to where the command ends.
    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut quoted = false;
        for c in line.chars() {
            match c {
                '\'' => quoted = !quoted,
                ' ' if !quoted => words.push(String::new()),
                c => words.last_mut().unwrap().push(c),
            }
        }
        let end = words
            .iter()
            .position(|w| ["<", ">", "|"].contains(&w.as_str()));
        words.truncate(end.unwrap_or(words.len()));
        words
    }

    /// Each command of the tree has examples, and each is a command line that it takes.
    fn check_examples(tree: &'static Command, command: &'static Command, path: &str) {
        for sub in command.subcommands {
            let path = format!("{path} {}", sub.name);
            check_examples(tree, sub, path.trim_start());
        }
        let needed = command.subcommands.is_empty() && !command.name.starts_with('_');
        assert!(
            !needed || !command.examples.is_empty(),
            "{path} has no examples"
        );
        for (_, line) in command.examples {
            let (found, own_path, rest) = choose(tree, &words(line));
            assert!(
                std::ptr::eq(found, command),
                "{line}: is {own_path}, not {path}"
            );
            let mut tables = found.flags.to_vec();
            tables.push(context::FLAGS);
            let parsed = Parsed::parse(tables, &rest).unwrap_or_else(|e| panic!("{line}: {e}"));
            assert!(
                parsed.missing().is_empty(),
                "{line}: {:?}",
                parsed.missing()
            );
        }
    }

    #[test]
    fn examples_are_command_lines() {
        check_examples(&ROOT, &ROOT, "");
    }
}
