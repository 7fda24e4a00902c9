// SPDX-License-Identifier: Apache-2.0
//! `create configmap`, `create secret …`.

use super::{MAKING, Made, finish, identity, name};
use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::generate::{self, Data, Mistake, source};
use crate::print;

const SOURCES: &[Flag] = &[
    Flag::switch("append-hash", "Append a hash of the content to the name."),
    Flag::list("from-env-file", "File of NAME=value lines."),
    Flag::list("from-file", "File, directory, or key=file."),
    Flag::each("from-literal", "A key with its value: key=value."),
];

/// `create configmap`.
pub(super) static CONFIG_MAP: Command = Command {
    name: "configmap",
    aliases: &["cm"],
    usage: "NAME [--from-file=[key=]FILE] [--from-literal=key=value] [--from-env-file=FILE]",
    about: "Create a config map from files or literals",
    examples: &[
        (
            "From values",
            "create configmap settings --from-literal=colour=blue --from-literal=size=9",
        ),
        (
            "From a file, under its own name",
            "create configmap settings --from-file=app.properties",
        ),
        (
            "From a file, under another name",
            "create configmap settings --from-file=config=app.properties",
        ),
        (
            "One entry for each line of a file",
            "create configmap settings --from-env-file=app.env",
        ),
    ],
    flags: &[SOURCES, MAKING, print::FLAGS, print::DRY_RUN],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(config_map(cx, flags))),
};

/// `create secret`.
pub(super) static SECRET: Command = Command {
    name: "secret",
    aliases: &[],
    usage: "(docker-registry | generic | tls) [OPTIONS]",
    about: "Create a secret of a type",
    examples: &[],
    flags: &[],
    subcommands: &[&DOCKER_REGISTRY, &GENERIC, &TLS],
    run: Some(|cx, flags| Box::pin(super::group(cx, flags, &SECRET))),
};

static GENERIC: Command = Command {
    name: "generic",
    aliases: &[],
    usage: "NAME [--type=TYPE] [--from-file=[key=]FILE] [--from-literal=key=value] [--from-env-file=FILE]",
    about: "Create a secret from files or literals",
    examples: &[
        (
            "From values",
            "create secret generic login --from-literal=user=jane --from-literal=password=x",
        ),
        (
            "From files",
            "create secret generic keys --from-file=id_ed25519 --from-file=public=id_ed25519.pub",
        ),
    ],
    flags: &[
        SOURCES,
        &[Flag::text("type", "Type of the secret.")],
        MAKING,
        print::FLAGS,
        print::DRY_RUN,
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(generic(cx, flags))),
};

static DOCKER_REGISTRY: Command = Command {
    name: "docker-registry",
    aliases: &[],
    usage: "NAME --docker-username=USER --docker-password=PASSWORD [--docker-server=SERVER] [--docker-email=ADDRESS]",
    about: "Create a secret with the credentials of a registry",
    examples: &[(
        "The login of a registry",
        "create secret docker-registry pull --docker-server=registry.example.com --docker-username=jane --docker-password=x",
    )],
    flags: &[
        &[
            Flag::switch("append-hash", "Append a hash of the content to the name."),
            Flag::text("docker-email", "Mail address."),
            Flag::text("docker-password", "Password."),
            Flag::text("docker-server", "Registry.").default("https://index.docker.io/v1/"),
            Flag::text("docker-username", "User name."),
            Flag::list("from-file", "File with credentials in Docker's form."),
        ],
        MAKING,
        print::FLAGS,
        print::DRY_RUN,
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(docker_registry(cx, flags))),
};

static TLS: Command = Command {
    name: "tls",
    aliases: &[],
    usage: "NAME --cert=FILE --key=FILE",
    about: "Create a secret with a certificate and its key",
    examples: &[(
        "A certificate with its key",
        "create secret tls web --cert=web.crt --key=web.key",
    )],
    flags: &[
        &[
            Flag::switch("append-hash", "Append a hash of the content to the name."),
            Flag::text("cert", "File with the certificate."),
            Flag::text("key", "File with the key."),
        ],
        MAKING,
        print::FLAGS,
        print::DRY_RUN,
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(tls(cx, flags))),
};

async fn config_map(cx: &Context, flags: &Parsed) -> Result {
    let name = name(flags)?;
    let namespace = cx.namespace()?;
    let data = sources(flags, "config")?;
    let object = generate::config_map(identity(name, &namespace), &data)?;
    let path = format!("/api/v1/namespaces/{}/configmaps", namespace.0);
    finish(
        cx,
        flags,
        Made {
            object,
            path,
            kind: "configmap",
            done: "created",
            refused: "failed to create configmap: ",
        },
    )
    .await
}

async fn generic(cx: &Context, flags: &Parsed) -> Result {
    let data = sources(flags, "secret")?;
    secret(cx, flags, flags.text("type"), data).await
}

async fn docker_registry(cx: &Context, flags: &Parsed) -> Result {
    name(flags)?;
    let [server, user, password, email] = [
        "docker-server",
        "docker-username",
        "docker-password",
        "docker-email",
    ]
    .map(|flag| flags.text(flag));
    let files = flags.list("from-file");
    if files.is_empty() && (user.is_empty() || password.is_empty() || server.is_empty()) {
        return Err(Error::message(
            "either --from-file or the combination of --docker-username, --docker-password and --docker-server is required",
        ));
    }
    let mut data = Data {
        append_hash: flags.on("append-hash"),
        ..Data::default()
    };
    for file in &files {
        // A file that names no key is the whole of the login.
        let named = match file.contains('=') {
            true => file.clone(),
            false => format!(".dockerconfigjson={file}"),
        };
        data.entries.extend(source::file(&named)?);
    }
    if files.is_empty() {
        let content = generate::docker_config(server, user, password, email);
        data.entries
            .push((".dockerconfigjson".to_owned(), content.into_bytes()));
    }
    secret(cx, flags, "kubernetes.io/dockerconfigjson", data).await
}

async fn tls(cx: &Context, flags: &Parsed) -> Result {
    name(flags)?;
    let (certificate, key) = (flags.text("cert"), flags.text("key"));
    if certificate.is_empty() || key.is_empty() {
        return Err(Error::message("key and cert must be specified"));
    }
    let read = |file: &str| {
        std::fs::read(file).map_err(|error| {
            Mistake(format!(
                "Cannot read file {file}, open {file}: {}",
                source::system_text(&error)
            ))
        })
    };
    let (certificate, key) = (read(certificate)?, read(key)?);
    generate::key_pair(&certificate, &key)?;
    let entries = vec![
        ("tls.crt".to_owned(), certificate),
        ("tls.key".to_owned(), key),
    ];
    secret(
        cx,
        flags,
        "kubernetes.io/tls",
        Data {
            entries,
            append_hash: flags.on("append-hash"),
        },
    )
    .await
}

async fn secret(cx: &Context, flags: &Parsed, kind: &str, data: Data) -> Result {
    let name = name(flags)?;
    let namespace = cx.namespace()?;
    let object = generate::secret(identity(name, &namespace), kind, &data)?;
    let path = format!("/api/v1/namespaces/{}/secrets", namespace.0);
    finish(
        cx,
        flags,
        Made {
            object,
            path,
            kind: "secret",
            done: "created",
            refused: "failed to create secret ",
        },
    )
    .await
}

/// What the flags say to put in: files, literals, environment files.
fn sources(flags: &Parsed, what: &str) -> Result<Data> {
    name(flags)?;
    let (files, literals, environments) = (
        flags.list("from-file"),
        flags.list("from-literal"),
        flags.list("from-env-file"),
    );
    let others = files.len() + literals.len();
    if !environments.is_empty() && others > 0 {
        return Err(Error::message(
            "from-env-file cannot be combined with from-file or from-literal",
        ));
    }
    let mut data = Data {
        append_hash: flags.on("append-hash"),
        ..Data::default()
    };
    for file in &files {
        data.entries.extend(source::file(file)?);
    }
    for literal in &literals {
        data.entries.push(source::literal(literal)?);
    }
    for file in &environments {
        data.entries
            .extend(source::environment_file(file, what, |name| {
                std::env::var(name).ok()
            })?);
    }
    Ok(data)
}
