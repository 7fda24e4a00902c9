// SPDX-License-Identifier: Apache-2.0
//! `set resources`.

use k1s_core::quantity::Quantity;
use serde_json::{Map, Value, json};

use super::{COMMON, CONTAINERS, LABELS, Setting, check_choice, pod_spec, set, targets};
use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::{print, source};

/// `set resources`.
pub(super) static COMMAND: Command = Command {
    name: "resources",
    aliases: &[],
    usage: "(-f FILE | TYPE NAME) [--limits=LIST] [--requests=LIST]",
    about: "Set what containers ask for and may use",
    examples: &[(
        "What a container asks for and may use",
        "set resources deployment web -c nginx --requests=cpu=100m --limits=cpu=200m,memory=64Mi",
    )],
    flags: &[
        source::FLAGS,
        print::FLAGS,
        print::DRY_RUN,
        COMMON,
        &[
            CONTAINERS,
            LABELS,
            Flag::text("limits", "Limits, cpu=200m,memory=512Mi."),
            Flag::text("requests", "Requests, cpu=100m,memory=256Mi."),
        ],
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(run(cx, flags))),
};

async fn run(cx: &Context, flags: &Parsed) -> Result {
    let targets = targets(cx, flags, &flags.args).await?;
    check_choice(flags)?;
    if flags.text("limits").is_empty() && flags.text("requests").is_empty() {
        return Err(Error::message(
            "you must specify an update to requests or limits (in the form of --requests/--limits)",
        ));
    }
    let limits = quantities(flags.text("limits"))?;
    let requests = quantities(flags.text("requests"))?;
    let names = flags.text("containers");
    let setting = Setting {
        done: "resource requirements updated",
        refused: "failed to patch resources update to pod template ",
        unchanged: false,
        change: &|object| change(object, names, &limits, &requests),
    };
    set(cx, flags, targets, &setting).await
}

/// `cpu=1,memory=2Gi`.
fn quantities(list: &str) -> Result<Map<String, Value>> {
    let mut out = Map::new();
    for statement in list.split(',').filter(|_| !list.is_empty()) {
        let parts: Vec<&str> = statement.split('=').collect();
        let [resource, quantity] = parts[..] else {
            return Err(Error::message(format!(
                "Invalid argument syntax {statement}, expected <resource>=<value>"
            )));
        };
        let quantity =
            Quantity::parse(quantity).map_err(|error| Error::message(error.to_string()))?;
        out.insert(resource.to_owned(), quantity.to_string().into());
    }
    Ok(out)
}

fn change(
    object: &mut Value,
    names: &str,
    limits: &Map<String, Value>,
    requests: &Map<String, Value>,
) -> Result {
    let spec = pod_spec::of(object)?;
    let containers = pod_spec::containers(spec, names);
    if containers.is_empty() {
        return Err(Error::message(format!(
            "error: unable to find container named {names}"
        )));
    }
    for container in containers {
        for (field, wanted) in [("limits", limits), ("requests", requests)] {
            if wanted.is_empty() {
                continue;
            }
            if !container["resources"][field].is_object() {
                container["resources"][field] = json!({});
            }
            for (resource, quantity) in wanted {
                container["resources"][field][resource] = quantity.clone();
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_is_set_and_the_rest_stays() {
        let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "c", "resources": {"limits": {"memory": "1Gi"}}}, {"name": "d"}]}});
        let limits = quantities("cpu=1").unwrap();
        change(&mut pod, "c", &limits, &Map::new()).unwrap();
        assert_eq!(
            pod["spec"]["containers"],
            json!([{"name": "c", "resources": {"limits": {"memory": "1Gi", "cpu": "1"}}}, {"name": "d"}])
        );
        assert!(change(&mut pod, "e", &limits, &Map::new()).is_err());
        assert!(quantities("cpu").is_err());
        assert!(quantities("cpu=x").is_err());
    }
}
