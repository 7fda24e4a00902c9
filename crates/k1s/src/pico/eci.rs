// SPDX-License-Identifier: Apache-2.0
//! `k1s pico eci`: embedded container images, from a module to a board.

use std::path::{Path, PathBuf};

use k1s_cli::command::Command;
use k1s_cli::context::Context;
use k1s_cli::error::{Error, Result};
use k1s_cli::flag::{Flag, Parsed};
use pico_board::{PROFILES, Profile};
use pico_eci::{PublicKey, Verifier, examples};
use pico_oci::{Credentials, Reference, Registry, files};

/// `eci`.
pub(crate) static COMMAND: Command = Command {
    name: "eci",
    aliases: &[],
    usage: "COMMAND",
    about: "Build, sign, look at, verify, move and load embedded container images.",
    examples: &[],
    flags: &[],
    subcommands: &[
        &KEYGEN, &BUILD, &SIGN, &INSPECT, &VERIFY, &PUSH, &PULL, &LOAD,
    ],
    run: None,
};

const KEY: Flag = Flag::text(
    "key",
    "File with the signing key (ed25519-secret:…, mode 0600).",
);
const TRUST: Flag = Flag::text(
    "trust",
    "File with the public keys to trust, one a line; those of the examples are trusted without it.",
);
const OUTPUT: Flag = Flag::text(
    "file",
    "File for the image; NAME.eci, or the file that was given, unless said otherwise.",
)
.short('f');
const PLAIN: Flag = Flag::switch(
    "plain-http",
    "Talk to the registry without TLS; always so with one on this machine.",
);

const LOGIN: Flag = Flag::text(
    "registry-config",
    "File with credentials for registries, as docker login writes it; by default $DOCKER_CONFIG/config.json or ~/.docker/config.json, if it is there.",
);

static KEYGEN: Command = Command {
    name: "keygen",
    aliases: &[],
    usage: "FILE",
    about: "Make a signing key: FILE gets the secret half, FILE.pub the public one.",
    examples: &[("A key of your own", "pico eci keygen eci.key")],
    flags: &[],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(std::future::ready(keygen(cx, flags)))),
};

static BUILD: Command = Command {
    name: "build",
    aliases: &[],
    usage: "CONFIG.json MODULE [--key FILE] [-f FILE]",
    about: "Make an image of a config and a WebAssembly module, binary or text, and sign it.",
    examples: &[(
        "Build and sign",
        "pico eci build blink.json blink.wat --key eci.key -f blink.eci",
    )],
    flags: &[&[KEY, OUTPUT]],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(std::future::ready(build(cx, flags)))),
};

static SIGN: Command = Command {
    name: "sign",
    aliases: &[],
    usage: "IMAGE --key FILE [-f FILE]",
    about: "Sign an image; a signature that was there is replaced.",
    examples: &[("Sign in place", "pico eci sign blink.eci --key eci.key")],
    flags: &[&[KEY, OUTPUT]],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(std::future::ready(sign(cx, flags)))),
};

static INSPECT: Command = Command {
    name: "inspect",
    aliases: &[],
    usage: "IMAGE [-o json]",
    about: "Say what an image is, without trusting it.",
    examples: &[("What does it ask for?", "pico eci inspect blink.eci")],
    flags: &[&[Flag::text("output", "json for JSON.").short('o')]],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(std::future::ready(inspect(cx, flags)))),
};

static VERIFY: Command = Command {
    name: "verify",
    aliases: &[],
    usage: "IMAGE [--trust FILE]",
    about: "Check an image as a board does before it starts it; fails when a board would refuse it.",
    examples: &[(
        "Would a board start it?",
        "pico eci verify blink.eci --trust eci.key.pub",
    )],
    flags: &[&[TRUST]],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(std::future::ready(verify(cx, flags)))),
};

static PUSH: Command = Command {
    name: "push",
    aliases: &[],
    usage: "IMAGE REGISTRY/NAME:TAG [--plain-http]",
    about: "Push an image to an OCI registry.",
    examples: &[(
        "To a registry on this machine",
        "pico eci push blink.eci localhost:5000/pico/blink:v1",
    )],
    flags: &[&[PLAIN, LOGIN]],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(std::future::ready(push(cx, flags)))),
};

static PULL: Command = Command {
    name: "pull",
    aliases: &[],
    usage: "REGISTRY/NAME:TAG [--trust FILE] [-f FILE] [--plain-http]",
    about: "Pull an image from an OCI registry and verify it.",
    examples: &[(
        "Into a file",
        "pico eci pull localhost:5000/pico/blink:v1 --trust eci.key.pub -f blink.eci",
    )],
    flags: &[&[TRUST, OUTPUT, PLAIN, LOGIN]],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(std::future::ready(pull(cx, flags)))),
};

static LOAD: Command = Command {
    name: "load",
    aliases: &[],
    usage: "IMAGE|REGISTRY/NAME:TAG --flash FILE [--board pico-w] [--trust FILE] [--as NAME:TAG]",
    about: "Verify an image and put it into a board's flash that is a file.",
    examples: &[(
        "Into a simulated board",
        "pico eci load blink.eci --flash board.flash --trust eci.key.pub",
    )],
    flags: &[&[
        TRUST,
        PLAIN,
        LOGIN,
        Flag::text(
            "flash",
            "File that is the board's flash; made when it is not there.",
        ),
        Flag::text(
            "board",
            "Profile of the board: pico-w, pico-w-2g or pico2-w; pico-w unless said otherwise.",
        ),
        Flag::text(
            "as",
            "Name under which pods ask for it; the image's own unless said otherwise.",
        ),
    ]],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(std::future::ready(load(cx, flags)))),
};

/// An error with its causes, as one text.
fn failure(error: pico_oci::Error) -> Error {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    Error::message(text)
}

fn arguments<const N: usize>(flags: &Parsed) -> Result<[&str; N]> {
    let words: Vec<&str> = flags.args.iter().map(String::as_str).collect();
    <[&str; N]>::try_from(words).map_err(|words| {
        Error::usage(
            format!("expected {N} arguments, found {}", words.len()),
            flags,
        )
    })
}

fn key(flags: &Parsed) -> Result<Option<pico_eci::build::SigningKey>> {
    match flags.text("key") {
        "" => Ok(None),
        path => files::signing_key(Path::new(path))
            .map(Some)
            .map_err(failure),
    }
}

fn trusted(flags: &Parsed) -> Result<Vec<PublicKey>> {
    match flags.text("trust") {
        "" => Ok(examples::key().into_iter().collect()),
        path => files::public_keys(Path::new(path)).map_err(failure),
    }
}

fn output(flags: &Parsed, otherwise: &str) -> PathBuf {
    match flags.text("file") {
        "" => otherwise.into(),
        path => path.into(),
    }
}

fn checked(bundle: &[u8], trusted: &[PublicKey]) -> Result<String> {
    let image = Verifier::new(trusted)
        .verify(bundle)
        .map_err(|error| failure(error.into()))?;
    Ok(format!(
        "{} {}, signed by {}",
        image.config().reference(),
        image.digest(),
        image.signer()
    ))
}

fn keygen(cx: &Context, flags: &Parsed) -> Result {
    let [path] = arguments(flags)?;
    let public = files::new_key(Path::new(path)).map_err(failure)?;
    cx.line(public)
}

fn build(cx: &Context, flags: &Parsed) -> Result {
    let [config, module] = arguments(flags)?;
    let bundle = files::build_image(Path::new(config), Path::new(module), key(flags)?.as_ref())
        .map_err(failure)?;
    let path = output(
        flags,
        &Path::new(module)
            .with_extension("eci")
            .display()
            .to_string(),
    );
    files::write(&path, &bundle).map_err(failure)?;
    let image = pico_oci::inspect(&bundle).map_err(failure)?;
    let most = PROFILES.iter().map(|profile| profile.chip.sram_bytes).max();
    if image.memory_at_start > u64::from(most.unwrap_or_default()) {
        cx.talk(format_args!(
            "Warning: the module starts with {} bytes of memory, which no board has; link it with -zstack-size=1024 --stack-first --page-size=1 (docs/eci.md)",
            image.memory_at_start
        ));
    }
    cx.line(format_args!(
        "{} {} ({} bytes)",
        image.config.reference(),
        image.digest,
        bundle.len()
    ))
}

fn sign(cx: &Context, flags: &Parsed) -> Result {
    let [path] = arguments(flags)?;
    let key = key(flags)?.ok_or_else(|| Error::usage("--key is needed", flags))?;
    let bundle = files::read(Path::new(path)).map_err(failure)?;
    let signed = pico_eci::build::sign(&bundle, &key).map_err(|error| failure(error.into()))?;
    files::write(&output(flags, path), &signed).map_err(failure)?;
    cx.line(checked(&signed, &[key.public()])?)
}

fn inspect(cx: &Context, flags: &Parsed) -> Result {
    let [path] = arguments(flags)?;
    let image =
        pico_oci::inspect(&files::read(Path::new(path)).map_err(failure)?).map_err(failure)?;
    match flags.text("output") {
        "" => cx.print(image.to_text()),
        "json" => cx.line(format_args!("{:#}", image.to_json())),
        other => Err(Error::usage(
            format!("unknown output {other:?}: json"),
            flags,
        )),
    }
}

fn verify(cx: &Context, flags: &Parsed) -> Result {
    let [path] = arguments(flags)?;
    cx.line(checked(
        &files::read(Path::new(path)).map_err(failure)?,
        &trusted(flags)?,
    )?)
}

fn push(cx: &Context, flags: &Parsed) -> Result {
    let [path, reference] = arguments(flags)?;
    let reference: Reference = reference.parse().map_err(failure)?;
    let bundle = files::read(Path::new(path)).map_err(failure)?;
    let digest = registry(flags)?
        .push(&reference, &bundle)
        .map_err(failure)?;
    cx.line(format_args!("{reference} {digest}"))
}

/// The client of registries that the flags say.
fn registry(flags: &Parsed) -> Result<Registry> {
    let credentials = match flags.text("registry-config") {
        "" => {
            let directory = std::env::var_os("DOCKER_CONFIG").filter(|text| !text.is_empty());
            let directory = directory.map(PathBuf::from).or_else(|| {
                let home = std::env::var_os("HOME").filter(|text| !text.is_empty())?;
                Some(Path::new(&home).join(".docker"))
            });
            let path = directory.map(|directory| directory.join("config.json"));
            path.filter(|path| path.is_file())
                .map(|path| Credentials::read(&path))
                .transpose()
        }
        path => Credentials::read(Path::new(path)).map(Some),
    };
    Ok(Registry::new(flags.on("plain-http"))
        .with_credentials(credentials.map_err(failure)?.unwrap_or_default()))
}

fn fetch(flags: &Parsed, reference: &Reference) -> Result<Vec<u8>> {
    registry(flags)?.pull(reference).map_err(failure)
}

fn pull(cx: &Context, flags: &Parsed) -> Result {
    let [reference] = arguments(flags)?;
    let reference: Reference = reference.parse().map_err(failure)?;
    let bundle = fetch(flags, &reference)?;
    let line = checked(&bundle, &trusted(flags)?)?;
    let name = reference.repository.rsplit('/').next().unwrap_or("image");
    files::write(&output(flags, &format!("{name}.eci")), &bundle).map_err(failure)?;
    cx.line(line)
}

fn load(cx: &Context, flags: &Parsed) -> Result {
    let [image] = arguments(flags)?;
    let flash = match flags.text("flash") {
        "" => {
            return Err(Error::usage(
                "--flash is needed: the file that is the board's flash",
                flags,
            ));
        }
        path => Path::new(path),
    };
    let board = match flags.text("board") {
        "" => &pico_board::PICO_W,
        name => Profile::find(name).ok_or_else(|| {
            let names: Vec<&str> = PROFILES.iter().map(|profile| profile.name).collect();
            Error::message(format!("there is no board {name:?}: {}", names.join(", ")))
        })?,
    };
    let bundle = if Path::new(image).exists() {
        files::read(Path::new(image)).map_err(failure)?
    } else {
        fetch(flags, &image.parse().map_err(failure)?)?
    };
    let name = Some(flags.text("as")).filter(|name| !name.is_empty());
    let stored = pico_oci::load(flash, board, &trusted(flags)?, name, &bundle).map_err(failure)?;
    cx.line(format_args!(
        "{} {} in {} bytes at {:#x}",
        stored.reference, stored.digest, stored.len, stored.address
    ))
}
