// SPDX-License-Identifier: Apache-2.0
//! Which pods and which of their containers a command means: those of a name, of an object that has pods, or of a selector.

use k1s_core::object::{annotation, list, text};
use k1s_core::quote::Quoted;
use serde_json::Value;

use crate::context::Context;
use crate::describe;
use crate::error::{Error, Result};
use crate::flag::Parsed;
use crate::selection::{Selection, Target};

/// The pods that a word means, or the selector where there is none. Of an object that has several it is the first, unless all are
/// asked for. `purpose` is what is to be done with them, for errors.
///
/// # Errors
/// When there is no such pod or object, or it has no pods.
pub(super) async fn pods(
    cx: &Context,
    flags: &Parsed,
    word: Option<&str>,
    purpose: &str,
    all: bool,
) -> Result<Vec<Target>> {
    let mut selection = Selection::new(cx, flags)?;
    let found = match word {
        None => return of_kind_pod(cx, &selection, flags).await,
        Some(word) if word.contains('/') => {
            selection.args = vec![word.to_owned()];
            selection.targets(cx, flags, true).await?
        }
        Some(word) => {
            selection.args = vec!["pods".to_owned(), word.to_owned()];
            selection.targets(cx, flags, true).await?
        }
    };
    let mut out = Vec::new();
    for target in found {
        let target = target.map_err(|error| missing(error, &selection.namespace))?;
        if target.resource.kind == "Pod" {
            out.push(target);
            continue;
        }
        let labels = labels_of_pods(&target.value);
        if labels.is_empty() {
            let what = format!("*{}.{}", target.resource.version, target.resource.kind);
            return Err(Error::message(format!(
                "cannot {purpose} {what}: selector for {what} not implemented"
            )));
        }
        selection.labels = Some(labels);
        selection.namespace.clone_from(&target.namespace);
        let mut pods = of_kind_pod(cx, &selection, flags).await?;
        // those that run first, then the oldest
        pods.sort_by_key(|pod| {
            let phase = text(&pod.value, &["status", "phase"]);
            let made = text(&pod.value, &["metadata", "creationTimestamp"]);
            (phase != "Running", made.to_owned())
        });
        if pods.is_empty() {
            return Err(Error::message(format!(
                "no pods of {} were found in namespace {}",
                target.title(),
                Quoted(&target.namespace)
            )));
        }
        if !all && pods.len() > 1 {
            let first = pods[0].name.as_str();
            cx.talk(format_args!("Found {} pods, using pod/{first}", pods.len()));
            pods.truncate(1);
        }
        out.append(&mut pods);
    }
    Ok(out)
}

/// An object that is not there is told with its namespace.
fn missing(error: Error, namespace: &str) -> Error {
    if error.is_not_found() {
        Error::message(format!(
            "error from server (NotFound): {error} in namespace {}",
            Quoted(namespace)
        ))
    } else {
        error
    }
}

async fn of_kind_pod(cx: &Context, selection: &Selection, flags: &Parsed) -> Result<Vec<Target>> {
    let mut selection = selection.clone();
    selection.args = vec!["pods".to_owned()];
    let found = selection.targets(cx, flags, true).await?;
    let pods: Vec<Target> = found.into_iter().collect::<Result<_>>()?;
    if pods.is_empty() && flags.given("selector") {
        cx.talk(format_args!(
            "No resources found in {} namespace.",
            selection.namespace
        ));
    }
    Ok(pods)
}

/// The selector of an object's pods, as the command line has it.
fn labels_of_pods(object: &Value) -> String {
    let selector = &object["spec"]["selector"];
    if selector["matchLabels"].is_object() || selector["matchExpressions"].is_array() {
        return describe::selector_text(selector);
    }
    // of a Service or a ReplicationController
    describe::selector_text(&serde_json::json!({ "matchLabels": selector }))
}

/// The container that is named, or the one that is meant where none is; `None` for a pod without any. The choice is told, unless
/// `is_quiet`.
///
/// # Errors
/// When the pod has none of this name.
pub(super) fn container<'a>(
    cx: &Context,
    pod: &'a Target,
    named: &'a str,
    is_quiet: bool,
) -> Result<Option<&'a str>> {
    let names = |field| {
        list(&pod.value, &["spec", field])
            .iter()
            .map(|container| text(container, &["name"]))
    };
    let (init, main) = (names("initContainers"), names("containers"));
    let ephemeral = names("ephemeralContainers");
    let all: Vec<&str> = main
        .clone()
        .chain(init.clone())
        .chain(ephemeral.clone())
        .collect();
    if !named.is_empty() {
        if !all.contains(&named) {
            let name = &pod.name;
            return Err(Error::message(format!(
                "container {named} is not valid for pod {name}"
            )));
        }
        return Ok(Some(named));
    }
    let marked = annotation(&pod.value, "kubectl.kubernetes.io/default-container")
        .filter(|name| all.contains(name));
    if let Some(marked) = marked {
        return Ok(Some(marked));
    }
    let Some(first) = all.first() else {
        return Ok(None);
    };
    if all.len() > 1 && !is_quiet {
        let init = init.map(|name| format!("{name} (init)"));
        let ephemeral = ephemeral.map(|name| format!("{name} (ephem)"));
        let known: Vec<String> = main
            .map(str::to_owned)
            .chain(ephemeral)
            .chain(init)
            .collect();
        cx.talk(format_args!(
            "Defaulted container {} out of: {}",
            Quoted(first),
            known.join(", ")
        ));
    }
    Ok(Some(first))
}
