// SPDX-License-Identifier: Apache-2.0
//! `config`: views and changes of kubeconfig files. No command of this group talks to a server.

mod entries;
mod files;
mod property;
mod show;

use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};

/// The group.
pub(super) static COMMAND: Command = Command {
    name: "config",
    aliases: &[],
    usage: "SUBCOMMAND",
    about: "Show and change kubeconfig files",
    examples: &[],
    flags: &[],
    subcommands: &[
        &CURRENT_CONTEXT,
        &DELETE_CLUSTER,
        &DELETE_CONTEXT,
        &DELETE_USER,
        &GET_CLUSTERS,
        &GET_CONTEXTS,
        &GET_USERS,
        &RENAME_CONTEXT,
        &SET,
        &SET_CLUSTER,
        &SET_CONTEXT,
        &SET_CREDENTIALS,
        &UNSET,
        &USE_CONTEXT,
        &VIEW,
    ],
    run: None,
};

const fn command(name: &'static str, usage: &'static str, about: &'static str) -> Command {
    Command {
        name,
        aliases: &[],
        usage,
        about,
        examples: &[],
        flags: &[],
        subcommands: &[],
        run: None,
    }
}

static VIEW: Command = Command {
    examples: &[
        ("All kubeconfig files as one", "config view"),
        (
            "One file with all that is needed, of the current context",
            "config view --minify --flatten --raw",
        ),
    ],
    flags: &[&[
        Flag::switch(
            "flatten",
            "Put the content of files in the place of their names.",
        ),
        Flag::switch("merge", "Merge all kubeconfig files.").default("true"),
        Flag::switch("minify", "Leave out what the current context does not use."),
        Flag::switch("raw", "Show certificates and secrets."),
        Flag::text("output", "Output format.")
            .short('o')
            .default("yaml"),
        Flag::text("template", "Template of the output format."),
        Flag::switch(
            "allow-missing-template-keys",
            "Accepted for kubectl's sake.",
        )
        .default("true"),
        Flag::switch("show-managed-fields", "Accepted for kubectl's sake."),
    ]],
    run: Some(|cx, flags| Box::pin(show::view(cx, flags))),
    ..command(
        "view",
        "[--minify] [--flatten] [--raw] [-o FORMAT]",
        "Show a kubeconfig, without its secrets",
    )
};

static CURRENT_CONTEXT: Command = Command {
    examples: &[("Which context is the current one", "config current-context")],
    run: Some(|cx, flags| Box::pin(show::current_context(cx, flags))),
    ..command("current-context", "", "Show the current context")
};

static GET_CONTEXTS: Command = Command {
    examples: &[
        ("All contexts", "config get-contexts"),
        ("Only their names", "config get-contexts -o name"),
    ],
    flags: &[&[
        Flag::text("output", "Output format: name.").short('o'),
        Flag::switch("no-headers", "Leave out the line of titles."),
    ]],
    run: Some(|cx, flags| Box::pin(show::contexts(cx, flags))),
    ..command("get-contexts", "[NAME...]", "List contexts")
};

static GET_CLUSTERS: Command = Command {
    examples: &[("All clusters", "config get-clusters")],
    run: Some(|cx, flags| Box::pin(show::clusters(cx, flags))),
    ..command("get-clusters", "", "List clusters")
};

static GET_USERS: Command = Command {
    examples: &[("All users", "config get-users")],
    run: Some(|cx, flags| Box::pin(show::users(cx, flags))),
    ..command("get-users", "", "List users")
};

static USE_CONTEXT: Command = Command {
    examples: &[("Switch to another cluster", "config use-context work")],
    aliases: &["use"],
    run: Some(|cx, flags| Box::pin(entries::use_context(cx, flags))),
    ..command("use-context", "NAME", "Make a context the current one")
};

static RENAME_CONTEXT: Command = Command {
    examples: &[(
        "Another name for a context",
        "config rename-context old new",
    )],
    run: Some(|cx, flags| Box::pin(entries::rename_context(cx, flags))),
    ..command(
        "rename-context",
        "NAME NEW_NAME",
        "Give a context another name",
    )
};

static DELETE_CONTEXT: Command = Command {
    examples: &[("Forget a context", "config delete-context work")],
    run: Some(|cx, flags| Box::pin(entries::delete_context(cx, flags))),
    ..command("delete-context", "NAME", "Remove a context")
};

static DELETE_CLUSTER: Command = Command {
    examples: &[("Forget a cluster", "config delete-cluster work")],
    run: Some(|cx, flags| Box::pin(entries::delete_cluster(cx, flags))),
    ..command("delete-cluster", "NAME", "Remove a cluster")
};

static DELETE_USER: Command = Command {
    examples: &[("Forget a user", "config delete-user jane")],
    run: Some(|cx, flags| Box::pin(entries::delete_user(cx, flags))),
    ..command("delete-user", "NAME", "Remove a user")
};

/// The flags that set the fields of an entry have the names of flags of every command; the entry's come first.
static SET_CONTEXT: Command = Command {
    examples: &[
        (
            "Another namespace for the current context",
            "config set-context --current --namespace=garden",
        ),
        (
            "A new context",
            "config set-context work --cluster=work --user=jane",
        ),
    ],
    flags: &[&[
        Flag::switch("current", "Change the current context."),
        Flag::text("cluster", "Cluster of the context."),
        Flag::text("user", "User of the context."),
        Flag::text("namespace", "Namespace of the context.").short('n'),
    ]],
    run: Some(|cx, flags| Box::pin(entries::set_context(cx, flags))),
    ..command(
        "set-context",
        "[NAME | --current] [--cluster=NAME] [--user=NAME] [--namespace=NAME]",
        "Make or change a context",
    )
};

static SET_CLUSTER: Command = Command {
    examples: &[(
        "A cluster with its authority in the file",
        "config set-cluster work --server=https://work.example.com:6443 --certificate-authority=ca.crt --embed-certs",
    )],
    flags: &[&[
        Flag::text("server", "Address of the API server."),
        Flag::text(
            "tls-server-name",
            "Name that the server's certificate is checked for.",
        ),
        Flag::switch(
            "insecure-skip-tls-verify",
            "Do not check the server's certificate.",
        ),
        Flag::text(
            "certificate-authority",
            "File with the authority that signed the server's certificate.",
        ),
        Flag::switch("embed-certs", "Put the authority into the kubeconfig."),
        Flag::text("proxy-url", "Address of a proxy."),
        Flag::switch("disable-compression", "Do not ask for compressed answers."),
    ]],
    run: Some(|cx, flags| Box::pin(entries::set_cluster(cx, flags))),
    ..command(
        "set-cluster",
        "NAME [--server=ADDRESS] [--certificate-authority=FILE]",
        "Make or change a cluster",
    )
};

static SET_CREDENTIALS: Command = Command {
    examples: &[
        (
            "A user with a client certificate",
            "config set-credentials jane --client-certificate=jane.crt --client-key=jane.key --embed-certs",
        ),
        (
            "A user whose token a program gives",
            "config set-credentials jane --exec-command=login --exec-api-version=client.authentication.k8s.io/v1",
        ),
    ],
    flags: &[&[
        Flag::text("client-certificate", "File with a client certificate."),
        Flag::text("client-key", "File with the client certificate's key."),
        Flag::switch(
            "embed-certs",
            "Put certificate and key into the kubeconfig.",
        ),
        Flag::text("token", "Bearer token."),
        Flag::text("username", "User name for basic authentication."),
        Flag::text("password", "Password for basic authentication."),
        Flag::text("auth-provider", "Authentication provider."),
        Flag::list(
            "auth-provider-arg",
            "Argument of the provider, key=value, or key- to remove it.",
        ),
        Flag::text("exec-command", "Program that gives credentials."),
        Flag::text("exec-api-version", "Version of its protocol."),
        Flag::list("exec-arg", "Argument of the program."),
        Flag::each(
            "exec-env",
            "Variable of the program, name=value, or name- to remove it.",
        ),
        Flag::text(
            "exec-interactive-mode",
            "Whether the program may ask: Never, IfAvailable, Always.",
        ),
        Flag::switch(
            "exec-provide-cluster-info",
            "Tell the program about the cluster.",
        ),
    ]],
    run: Some(|cx, flags| Box::pin(entries::set_credentials(cx, flags))),
    ..command(
        "set-credentials",
        "NAME [--token=TOKEN] [--client-certificate=FILE --client-key=FILE]",
        "Make or change a user",
    )
};

static SET: Command = Command {
    examples: &[("One field", "config set contexts.work.namespace garden")],
    flags: &[&[Flag::switch(
        "set-raw-bytes",
        "Take the value of a field of bytes as it is, not as base64.",
    )]],
    run: Some(|cx, flags| Box::pin(property::set(cx, flags))),
    ..command("set", "PROPERTY VALUE", "Set one field by its path")
};

static UNSET: Command = Command {
    examples: &[
        ("Remove one field", "config unset contexts.work.namespace"),
        ("No current context", "config unset current-context"),
    ],
    run: Some(|cx, flags| Box::pin(property::unset(cx, flags))),
    ..command(
        "unset",
        "PROPERTY",
        "Remove a field, an entry or a section by its path",
    )
};

/// The help of a command on standard output, which kubectl shows beside what is wrong with the arguments.
fn help(cx: &Context, flags: &Parsed) -> Result {
    let name = flags.path.rsplit(' ').next().unwrap_or_default();
    match COMMAND.subcommand(name) {
        Some(command) => cx.print(crate::help::of(command, &flags.path)),
        None => Ok(()),
    }
}

/// Too many or too few arguments.
fn unexpected(cx: &Context, flags: &Parsed) -> Error {
    match help(cx, flags) {
        Ok(()) => Error::message(format!("Unexpected args: [{}]", flags.args.join(" "))),
        Err(error) => error,
    }
}
