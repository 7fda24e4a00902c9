// SPDX-License-Identifier: Apache-2.0
//! `set image`.

use k1s_core::object::text;
use k1s_core::quote::Quoted;
use serde_json::Value;

use super::{COMMON, LABELS, Setting, check_choice, pod_spec, require_objects, set, targets};
use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::Parsed;
use crate::{print, source};

/// `set image`.
pub(super) static COMMAND: Command = Command {
    name: "image",
    aliases: &["im", "img"],
    usage: "(-f FILE | TYPE NAME) CONTAINER=IMAGE ...",
    about: "Set the images of containers",
    examples: &[
        (
            "A new image for one container",
            "set image deployment/web nginx=nginx:1.28",
        ),
        (
            "For all containers of all deployments",
            "set image deployment --all '*=nginx:1.28'",
        ),
    ],
    flags: &[
        source::FLAGS,
        print::FLAGS,
        print::DRY_RUN,
        COMMON,
        &[LABELS],
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(run(cx, flags))),
};

async fn run(cx: &Context, flags: &Parsed) -> Result {
    let (words, images) = images(&flags.args)?;
    let targets = targets(cx, flags, &words).await?;
    check_choice(flags)?;
    require_objects(flags, &words)?;
    if images.is_empty() {
        return Err(Error::message("at least one image update is required"));
    }
    if images.len() > 1 && images.iter().any(|(name, _)| name == "*") {
        return Err(Error::message(
            "all containers are already specified by *, but saw more than one container_name=container_image pairs",
        ));
    }
    let setting = Setting {
        done: "image updated",
        refused: "failed to patch image update to pod template: ",
        unchanged: false,
        change: &|object| change(object, &images),
    };
    set(cx, flags, targets, &setting).await
}

/// A container's name and its image.
type Image = (String, String);

/// Parts the objects from the pairs.
fn images(args: &[String]) -> Result<(Vec<String>, Vec<Image>)> {
    let is_pair = |word: &str| word.find('=').is_some_and(|at| at > 0) || word.ends_with('-');
    let first = args.iter().position(|a| is_pair(a)).unwrap_or(args.len());
    let (words, pairs) = args.split_at(first);
    let mut images = Vec::new();
    for pair in pairs {
        if !is_pair(pair) {
            return Err(Error::message(format!(
                "all resources must be specified before image changes: {pair}"
            )));
        }
        let Some((name, image)) = pair.split_once('=') else {
            return Err(Error::message(format!("unexpected image format: {pair}")));
        };
        images.push((name.to_owned(), image.to_owned()));
    }
    Ok((words.to_vec(), images))
}

fn change(object: &mut Value, images: &[Image]) -> Result {
    let spec = pod_spec::of(object)?;
    let mut errors = Vec::new();
    for (name, image) in images {
        let mut found = false;
        for container in pod_spec::containers(spec, "*") {
            if name == "*" || text(container, &["name"]) == name {
                found = true;
                container["image"] = image.as_str().into();
            }
        }
        if !found {
            errors.push(Error::message(format!(
                "error: unable to find container named {}",
                Quoted(name)
            )));
        }
    }
    Error::all(errors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn images_of_containers() {
        let check = |pairs: &[(&str, &str)], main: &str, init: &str, fine: bool| {
            let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "spec": {"initContainers": [{"name": "i", "image": "x"}], "containers": [{"name": "c", "image": "x"}]}});
            let pairs: Vec<Image> = pairs
                .iter()
                .map(|(name, image)| ((*name).to_owned(), (*image).to_owned()))
                .collect();
            assert_eq!(change(&mut pod, &pairs).is_ok(), fine, "{pairs:?}");
            assert_eq!(pod["spec"]["containers"][0]["image"], main);
            assert_eq!(pod["spec"]["initContainers"][0]["image"], init);
        };
        check(&[("c", "z"), ("i", "w")], "z", "w", true);
        check(&[("*", "y")], "y", "y", true);
        check(&[("nope", "y")], "x", "x", false);
    }

    #[test]
    fn pairs_come_last() {
        let words = |line: &str| -> Vec<String> { line.split(' ').map(str::to_owned).collect() };
        assert!(images(&words("deploy web c=x d")).is_err());
        assert_eq!(
            images(&words("deploy web c=x")).unwrap().0,
            ["deploy", "web"]
        );
    }
}
