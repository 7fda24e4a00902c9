// SPDX-License-Identifier: Apache-2.0
//! `run`: a pod with one container.

use super::expose::lay_over;
use super::generators::{MAKING, Made, identity, send, show, words};
use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::generate::{self, Expose, Run};
use crate::print::{self, Outcome};

/// `run`.
pub(super) static COMMAND: Command = Command {
    name: "run",
    aliases: &[],
    usage: "NAME --image=IMAGE [--env=NAME=VALUE] [--port=PORT] [-- ARG...]",
    about: "Run an image in a pod",
    examples: &[
        ("One pod", "run web --image=nginx --port=80"),
        (
            "With a command, and no new start when it ends",
            "run once --image=busybox --restart=Never -- date",
        ),
        (
            "Only show what would be created",
            "run web --image=nginx --dry-run=client -o yaml",
        ),
    ],
    flags: &[
        &[
            Flag::each("annotations", "Annotation, key=value."),
            Flag::switch("attach", "Not available: nothing runs behind this API."),
            Flag::switch(
                "command",
                "Take the words after the name as the command, not as arguments.",
            ),
            Flag::each("env", "Variable, NAME=value."),
            Flag::switch("expose", "Make a service for the pod too."),
            Flag::text("field-manager", "Who is named as the owner of the fields.")
                .default("kubectl-run"),
            Flag::text("image", "Image of the container.").required(),
            Flag::text("image-pull-policy", "Always, IfNotPresent or Never."),
            Flag::text("labels", "Labels of the pod.").short('l'),
            Flag::switch("leave-stdin-open", "Accepted for kubectl's sake."),
            Flag::switch("force", "Only for attached containers."),
            Flag::number("grace-period", "-1", "Only for attached containers."),
            Flag::text(
                "override-type",
                "How --overrides is applied: json, merge or strategic.",
            )
            .default("merge"),
            Flag::text("overrides", "JSON that is laid over the pod."),
            Flag::text("port", "Port of the container."),
            Flag::switch("privileged", "Let the container do anything."),
            Flag::switch("quiet", "Accepted for kubectl's sake.").short('q'),
            Flag::text("restart", "Always, OnFailure or Never.").default("Always"),
            Flag::switch("rm", "Only for attached containers."),
            Flag::switch("stdin", "Keep the container's standard input open.").short('i'),
            Flag::switch("tty", "Give the container a terminal.").short('t'),
        ],
        MAKING,
        print::FLAGS,
        print::DRY_RUN,
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(run(cx, flags))),
};

async fn run(cx: &Context, flags: &Parsed) -> Result {
    let usage = |message: &str| {
        Err(Error::Usage {
            message: message.to_owned(),
            path: flags.path.clone(),
        })
    };
    let Some(name) = flags.args.first().filter(|_| flags.dash != Some(0)) else {
        return usage("NAME is required for run");
    };
    let image = flags.text("image");
    if image.is_empty() {
        return Err(Error::message("--image is required"));
    }
    if !is_image(image) {
        return Err(Error::message(format!(
            "Invalid image name {}: invalid reference format",
            k1s_core::quote::Quoted(image)
        )));
    }
    if flags.on("tty") && !flags.on("stdin") {
        return usage("-i/--stdin is required for containers with -t/--tty=true");
    }
    if flags.on("expose") && flags.text("port").is_empty() {
        return usage("--port must be set when exposing a service");
    }
    if flags.on("rm") && !(flags.on("attach") || flags.on("stdin")) {
        return usage("--rm should only be used for attached containers");
    }
    if flags.on("attach") || flags.on("stdin") {
        return Err(Error::message(
            "containers cannot be attached to: nothing runs behind this API",
        ));
    }
    let restart = flags.text("restart");
    if !["Always", "OnFailure", "Never"].contains(&restart) {
        return usage(&format!("invalid restart policy: {restart}"));
    }
    let pull = flags.text("image-pull-policy");
    if !["", "Always", "IfNotPresent", "Never"].contains(&pull) {
        return usage(&format!("invalid image pull policy: {pull}"));
    }
    let namespace = cx.namespace()?;
    let (env, annotations) = (flags.list("env"), flags.list("annotations"));
    let options = Run {
        image,
        args: words(flags),
        command: flags.on("command"),
        env: &env,
        labels: flags.text("labels"),
        annotations: &annotations,
        port: flags.text("port"),
        image_pull_policy: flags.text("image-pull-policy"),
        restart,
        stdin: false,
        tty: false,
        privileged: flags.on("privileged"),
    };
    let mut pod = generate::run(identity(name, &namespace), &options)?;
    lay_over(&mut pod, flags)?;
    let path = format!("/api/v1/namespaces/{}/pods", namespace.0);
    let service = match flags.on("expose") {
        true => {
            let options = Expose {
                port: flags.text("port"),
                ..Expose::default()
            };
            let mut service = generate::expose(identity(name, &namespace), &pod, &options)?;
            // The labels are the pod's own.
            k1s_core::object::remove(&mut service, &["metadata", "labels"]);
            Some(service)
        }
        false => None,
    };
    let mut outcome = Outcome::new(flags)?;
    let made = |object, path, kind| Made {
        object,
        path,
        kind,
        done: "created",
        refused: "",
    };
    let pod = send(cx, flags, made(pod, path, "pod")).await?;
    if let Some(object) = service {
        let path = format!("/api/v1/namespaces/{}/services", namespace.0);
        let service = send(cx, flags, made(object, path, "service")).await?;
        show(cx, flags, &mut outcome, &service, "service", "created")?;
        if flags.text("output") == "yaml" {
            // kubectl ends the service and begins the pod with one each.
            cx.line("---")?;
        }
    }
    show(cx, flags, &mut outcome, &pod, "pod", "created")
}

/// Whether a text has the form of an image's name: `[registry[:port]/]path[:tag][@digest]`.
fn is_image(image: &str) -> bool {
    let (name, digest) = image
        .split_once('@')
        .map_or((image, None), |(name, digest)| (name, Some(digest)));
    let last = name.rfind('/').map_or(0, |at| at + 1);
    let (path, tag) = match name[last..].split_once(':') {
        Some((_, tag)) => (&name[..name.len() - tag.len() - 1], Some(tag)),
        None => (name, None),
    };
    let word = |text: &str, extra: &str| {
        !text.is_empty()
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
    };
    let (registry, path) = match path.split_once('/') {
        Some((first, rest))
            if first.contains(['.', ':'])
                || first == "localhost"
                || first.chars().any(|c| c.is_ascii_uppercase()) =>
        {
            (Some(first), rest)
        }
        _ => (None, path),
    };
    let part = |part: &str| {
        word(part, "._-")
            && !part.chars().any(|c| c.is_ascii_uppercase())
            && !part.starts_with(['.', '_', '-'])
            && !part.ends_with(['.', '_', '-'])
    };
    path.split('/').all(part)
        && registry.is_none_or(|registry| word(registry, ".:-"))
        && tag
            .is_none_or(|tag| word(tag, "._-") && !tag.starts_with(['.', '-']) && tag.len() <= 128)
        && digest.is_none_or(|digest| {
            digest
                .split_once(':')
                .is_some_and(|(kind, hex)| word(kind, "+._-") && hex.len() >= 32 && word(hex, ""))
        })
}

#[cfg(test)]
mod tests {
    use super::is_image;

    #[test]
    fn names_of_images() {
        let check = |image: &str, expected: bool| assert_eq!(is_image(image), expected, "{image}");
        check("nginx", true);
        check("nginx:1.27", true);
        check("registry.example.com:5000/a/b_c:1", true);
        check(
            "localhost/a@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            true,
        );
        check("NGINX", false);
        check("nginx:bad:x", false);
        check("two words", false);
        check("", false);
    }
}
