// SPDX-License-Identifier: Apache-2.0
//! `completion`: a script for the shell, which asks the program itself (`__complete`) what may come next.

use k1s_core::kinds;
use k1s_core::quote::Quoted;

use crate::PROGRAM;
use crate::command::Command;
use crate::context::{self, Context};
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed, takes_next};

/// `completion`.
pub(super) static COMMAND: Command = Command {
    name: "completion",
    aliases: &[],
    usage: "(bash | zsh | fish | powershell)",
    about: "Print the script that completes commands in a shell.",
    examples: &[
        (
            "For this shell",
            "completion bash > k1s.bash && source k1s.bash",
        ),
        (
            "For every shell to come",
            "completion bash > ~/.local/share/bash-completion/completions/k1s",
        ),
        (
            "For fish",
            "completion fish > ~/.config/fish/completions/k1s.fish",
        ),
    ],
    flags: &[],
    subcommands: &[],
    run: Some(|cx, args| Box::pin(async move { script(cx, args) })),
};

/// `__complete`: the words that may come next, one a line.
pub(super) static NEXT: Command = Command {
    name: "__complete",
    aliases: &[],
    usage: "-- WORD…",
    about: "Print what may come next, for the completion script.",
    examples: &[],
    flags: &[],
    subcommands: &[],
    run: Some(|cx, args| {
        Box::pin(async move {
            next(cx.tree(), &args.args)
                .iter()
                .try_for_each(|word| cx.line(word))
        })
    }),
};

const BASH: &str = r#"_PROGRAM_complete() {
    local IFS=$'\n'
    COMPREPLY=($(compgen -W "$(PROGRAM __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _PROGRAM_complete PROGRAM
"#;

const ZSH: &str = r#"#compdef PROGRAM
_PROGRAM() {
    local -a found
    found=("${(@f)$(PROGRAM __complete -- "${words[@]:1:$((CURRENT-1))}" 2>/dev/null)}")
    compadd -a found
}
compdef _PROGRAM PROGRAM
"#;

const FISH: &str = r#"complete -c PROGRAM -f -a '(set -l w (commandline -opc) (commandline -ct); PROGRAM __complete -- $w[2..-1] 2>/dev/null)'
"#;

const POWERSHELL: &str = r#"Register-ArgumentCompleter -Native -CommandName PROGRAM -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements | Select-Object -Skip 1 | ForEach-Object { "$_" })
    if ($wordToComplete -eq '') { $words += '' }
    PROGRAM __complete '--' @words | Where-Object { $_ -like "$wordToComplete*" } | ForEach-Object {
        [System.Management.Automation.CompletionResult]::new($_)
    }
}
"#;

fn script(cx: &Context, args: &Parsed) -> Result {
    let script = match args.args.as_slice() {
        [] => return Err(Error::usage("Shell not specified.", args)),
        [shell] => match shell.as_str() {
            "bash" => BASH,
            "zsh" => ZSH,
            "fish" => FISH,
            "powershell" => POWERSHELL,
            other => {
                return Err(Error::usage(
                    format!("Unsupported shell type {}.", Quoted(other)),
                    args,
                ));
            }
        },
        _ => {
            return Err(Error::usage(
                "Too many arguments. Expected only the shell type.",
                args,
            ));
        }
    };
    cx.print(script.replace("PROGRAM", PROGRAM.as_str()))
}

/// What may stand in place of the last word.
fn next(root: &'static Command, words: &[String]) -> Vec<String> {
    let Some((last, before)) = words.split_last() else {
        return Vec::new();
    };
    let mut command = root;
    let mut plain = 0;
    let mut skip = false;
    for word in before {
        if std::mem::take(&mut skip) {
            continue;
        }
        if word.starts_with('-') {
            let mut tables = command.flags.to_vec();
            tables.push(context::FLAGS);
            skip = takes_next(&tables, word);
        } else if let Some(found) = command.subcommand(word) {
            command = found;
        } else {
            plain += 1;
        }
    }
    let mut out: Vec<String> = if skip {
        Vec::new()
    } else if last.starts_with('-') {
        let own: Vec<&Flag> = command.flags.iter().flat_map(|t| t.iter()).collect();
        own.into_iter()
            .chain(context::FLAGS)
            .map(|f| format!("--{}", f.name))
            .collect()
    } else if !command.subcommands.is_empty() && plain == 0 {
        command
            .subcommands
            .iter()
            .filter(|c| !c.name.starts_with('_'))
            .map(|c| c.name.to_owned())
            .collect()
    } else if plain == 0 && command.usage.contains("TYPE") {
        kinds::all().iter().map(|k| k.plural.to_owned()).collect()
    } else {
        Vec::new()
    };
    out.retain(|word| word.starts_with(last.as_str()));
    out.sort();
    out.dedup();
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::ROOT;

    #[test]
    fn what_comes_next() {
        let check = |line: &str, wanted: &[&str]| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            assert_eq!(next(&ROOT, &words), wanted, "{line}");
        };
        check("ge", &["get"]);
        check("-n ns ge", &["get"]);
        check("get configm", &["configmaps"]);
        check("get --sort", &["--sort-by"]);
        check("get --sort-by x", &[]);
        check("create configm", &["configmap"]);
    }
}
