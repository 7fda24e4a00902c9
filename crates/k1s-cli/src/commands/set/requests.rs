// SPDX-License-Identifier: Apache-2.0
//! What the commands of `set` are asked for, and the strategic merge patch of a pod specification that it takes.

use k1s_core::object::{list, text};
use k1s_core::quantity::Quantity;
use k1s_core::quote::Quoted;
use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::flag::Parsed;

/// What is to be set.
#[derive(Debug)]
enum Wanted {
    /// Images by the names of containers.
    Images(Vec<(String, String)>),
    /// Variables with their values, or to be removed; on these containers.
    Variables(Vec<(String, Option<String>)>, String),
    /// Limits and requests, on these containers.
    Resources(Value, String),
    /// The service account.
    ServiceAccount(String),
}

/// A command line of `set`, read.
#[derive(Debug)]
pub(super) struct Request {
    /// The arguments that name objects.
    pub(super) resources: Vec<String>,
    wanted: Wanted,
}

/// `set image`.
pub(super) fn image(flags: &Parsed) -> Result<Request> {
    let (pairs, resources): (Vec<&String>, Vec<&String>) = flags
        .args
        .iter()
        .partition(|word| word.find('=').is_some_and(|at| at > 0));
    let images: Vec<(String, String)> = pairs
        .iter()
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, image)| (name.to_owned(), image.to_owned()))
        .collect();
    if images.is_empty() {
        return Err(Error::message("at least one image update is required"));
    }
    if images.len() > 1 && images.iter().any(|(name, _)| name == "*") {
        return Err(Error::message(
            "all containers are already specified by *, but saw more than one container_name=container_image pairs",
        ));
    }
    Ok(Request {
        resources: resources.into_iter().cloned().collect(),
        wanted: Wanted::Images(images),
    })
}

/// `set env`.
pub(super) fn env(flags: &Parsed) -> Result<Request> {
    let is_change =
        |word: &&String| word.contains('=') || (word.ends_with('-') && !word.contains('/'));
    let (changes, resources): (Vec<&String>, Vec<&String>) = flags.args.iter().partition(is_change);
    let change = |word: &&String| match word.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (word.trim_end_matches('-').to_owned(), None),
    };
    let variables: Vec<(String, Option<String>)> = changes.iter().map(change).collect();
    if variables.is_empty() {
        return Err(Error::message(
            "at least one environment variable must be provided",
        ));
    }
    Ok(Request {
        resources: resources.into_iter().cloned().collect(),
        wanted: Wanted::Variables(variables, flags.text("containers").to_owned()),
    })
}

/// `set resources`.
pub(super) fn resources(flags: &Parsed) -> Result<Request> {
    let mut wanted = json!({});
    for field in ["limits", "requests"] {
        let statements = flags.text(field);
        if statements.is_empty() {
            continue;
        }
        let mut quantities = Map::new();
        for statement in statements.split(',') {
            let Some((resource, quantity)) = statement.split_once('=') else {
                return Err(Error::message(format!(
                    "Invalid argument syntax {statement}, expected <resource>=<value>"
                )));
            };
            let quantity =
                Quantity::parse(quantity).map_err(|error| Error::message(error.to_string()))?;
            quantities.insert(resource.to_owned(), quantity.to_string().into());
        }
        wanted[field] = quantities.into();
    }
    if wanted.as_object().is_none_or(Map::is_empty) {
        return Err(Error::message(
            "you must specify an update to requests or limits (in the form of --requests/--limits)",
        ));
    }
    Ok(Request {
        resources: flags.args.clone(),
        wanted: Wanted::Resources(wanted, flags.text("containers").to_owned()),
    })
}

/// `set serviceaccount`.
pub(super) fn service_account(flags: &Parsed) -> Result<Request> {
    let Some((account, resources)) = flags.args.split_last() else {
        return Err(Error::message("serviceaccount is required"));
    };
    Ok(Request {
        resources: resources.to_vec(),
        wanted: Wanted::ServiceAccount(account.clone()),
    })
}

impl Request {
    /// The patch of a pod specification; empty where it is so already.
    pub(super) fn patch(&self, spec: &Value) -> Result<Value> {
        match &self.wanted {
            Wanted::ServiceAccount(account) if text(spec, &["serviceAccountName"]) == account => {
                Ok(json!({}))
            }
            Wanted::ServiceAccount(account) => Ok(json!({ "serviceAccountName": account })),
            Wanted::Images(images) => self.images(spec, images),
            Wanted::Variables(variables, names) => each(spec, names, |container| {
                let there = list(container, &["env"]);
                let changes: Vec<Value> = variables
                    .iter()
                    .filter_map(|(name, value)| {
                        let now = there
                            .iter()
                            .find(|variable| text(variable, &["name"]) == name);
                        match value {
                            Some(value)
                                if now.is_some_and(|now| {
                                    text(now, &["value"]) == value && now.get("valueFrom").is_none()
                                }) =>
                            {
                                None
                            }
                            Some(value) => {
                                Some(json!({ "name": name, "value": value, "valueFrom": null }))
                            }
                            None => now.map(|_| json!({ "name": name, "$patch": "delete" })),
                        }
                    })
                    .collect();
                if changes.is_empty() {
                    Value::Null
                } else {
                    json!({ "env": changes })
                }
            }),
            Wanted::Resources(resources, names) => {
                each(spec, names, |_| json!({ "resources": resources }))
            }
        }
    }

    fn images(&self, spec: &Value, images: &[(String, String)]) -> Result<Value> {
        let mut patch = json!({});
        let mut found = vec![false; images.len()];
        for field in ["initContainers", "containers"] {
            let mut changes = Vec::new();
            for container in list(spec, &[field]) {
                let own = text(container, &["name"]);
                let Some(number) = images
                    .iter()
                    .position(|(name, _)| name == own || (name == "*" && field == "containers"))
                else {
                    continue;
                };
                found[number] = true;
                if text(container, &["image"]) != images[number].1 {
                    changes.push(json!({ "name": own, "image": images[number].1 }));
                }
            }
            if !changes.is_empty() {
                patch[field] = changes.into();
            }
        }
        match images.iter().zip(found).find(|(_, found)| !found) {
            Some(((name, _), _)) => Err(Error::message(format!(
                "unable to find container named {}",
                Quoted(name)
            ))),
            None => Ok(patch),
        }
    }
}

/// A patch of the containers whose names fit.
fn each(spec: &Value, names: &str, change: impl Fn(&Value) -> Value) -> Result<Value> {
    let fits = |name: &str| {
        names
            .split(',')
            .any(|pattern| pattern == "*" || pattern == name)
    };
    let mut changes = Vec::new();
    for container in list(spec, &["containers"]) {
        let own = text(container, &["name"]);
        let mut patch = if fits(own) {
            change(container)
        } else {
            Value::Null
        };
        if patch.is_object() {
            patch["name"] = own.into();
            changes.push(patch);
        }
    }
    if list(spec, &["containers"])
        .iter()
        .all(|container| !fits(text(container, &["name"])))
    {
        return Err(Error::message(format!(
            "unable to find container named {}",
            Quoted(names)
        )));
    }
    Ok(if changes.is_empty() {
        json!({})
    } else {
        json!({ "containers": changes })
    })
}

#[cfg(test)]
mod tests {
    use super::{Request, Wanted};
    use serde_json::{Value, json};

    fn check(wanted: Wanted, expected: Result<Value, &str>) {
        let spec = json!({"serviceAccountName": "a", "initContainers": [{"name": "i", "image": "x"}], "containers": [{"name": "c", "image": "x", "env": [{"name": "A", "value": "1"}]}, {"name": "d", "image": "y"}]});
        let request = Request {
            resources: Vec::new(),
            wanted,
        };
        assert_eq!(
            request.patch(&spec).map_err(|error| error.to_string()),
            expected.map_err(str::to_owned)
        );
    }

    #[test]
    fn patches_of_pod_specifications() {
        let images = |pairs: &[(&str, &str)]| {
            Wanted::Images(
                pairs
                    .iter()
                    .map(|(name, image)| ((*name).to_owned(), (*image).to_owned()))
                    .collect(),
            )
        };
        check(
            images(&[("c", "z"), ("i", "w")]),
            Ok(
                json!({"containers": [{"name": "c", "image": "z"}], "initContainers": [{"name": "i", "image": "w"}]}),
            ),
        );
        check(
            images(&[("*", "y")]),
            Ok(json!({"containers": [{"name": "c", "image": "y"}]})),
        );
        check(images(&[("c", "x")]), Ok(json!({})));
        check(
            images(&[("nope", "x")]),
            Err("unable to find container named \"nope\""),
        );
        let variables = vec![
            ("A".to_owned(), None),
            ("B".to_owned(), Some("2".to_owned())),
        ];
        check(
            Wanted::Variables(variables, "c".into()),
            Ok(
                json!({"containers": [{"name": "c", "env": [{"name": "A", "$patch": "delete"}, {"name": "B", "value": "2", "valueFrom": null}]}]}),
            ),
        );
        check(
            Wanted::Resources(json!({"limits": {"cpu": "1"}}), "d".into()),
            Ok(json!({"containers": [{"name": "d", "resources": {"limits": {"cpu": "1"}}}]})),
        );
        check(Wanted::ServiceAccount("a".into()), Ok(json!({})));
    }
}
