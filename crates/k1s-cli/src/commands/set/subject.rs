// SPDX-License-Identifier: Apache-2.0
//! `set subject`.

use std::collections::BTreeSet;

use k1s_core::object::text;
use serde_json::{Value, json};

use super::{COMMON, LABELS, Setting, check_choice, pod_spec, set, targets};
use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::selection::Target;
use crate::{print, source};

const RBAC: &str = "rbac.authorization.k8s.io";

/// `set subject`.
pub(super) static COMMAND: Command = Command {
    name: "subject",
    aliases: &[],
    usage: "(-f FILE | TYPE NAME) [--user=NAME] [--group=NAME] [--serviceaccount=NAMESPACE:NAME]",
    about: "Add users, groups and service accounts to role bindings",
    examples: &[
        (
            "One more account for a role",
            "set subject rolebinding readers --serviceaccount=default:robot",
        ),
        (
            "Two groups",
            "set subject clusterrolebinding admins --group=ops --group=dev",
        ),
    ],
    flags: &[
        source::FLAGS,
        print::FLAGS,
        print::DRY_RUN,
        COMMON,
        &[
            LABELS,
            Flag::each("group", "Group that gets the role."),
            Flag::each(
                "serviceaccount",
                "Service account that gets the role, namespace:name.",
            ),
            Flag::each("user", "User that gets the role."),
        ],
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(run(cx, flags))),
};

async fn run(cx: &Context, flags: &Parsed) -> Result {
    let targets = targets(cx, flags, &flags.args).await?;
    check_choice(flags)?;
    let subjects = subjects(flags, &targets, &cx.namespace()?.0)?;
    let setting = Setting {
        done: "subjects updated",
        refused: "failed to patch subjects to rolebinding: ",
        unchanged: false,
        change: &|object| change(object, &subjects),
    };
    set(cx, flags, targets, &setting).await
}

/// The subjects that the flags name: users, groups, service accounts, each in the order of their names.
fn subjects(flags: &Parsed, targets: &[Target], namespace: &str) -> Result<Vec<Value>> {
    let named = |flag: &str| flags.list(flag).into_iter().collect::<BTreeSet<String>>();
    let (users, groups, accounts) = (named("user"), named("group"), named("serviceaccount"));
    if users.is_empty() && groups.is_empty() && accounts.is_empty() {
        return Err(Error::message(
            "you must specify at least one value of user, group or serviceaccount",
        ));
    }
    let mut out = Vec::new();
    for (kind, names) in [("User", users), ("Group", groups)] {
        out.extend(
            names
                .into_iter()
                .map(|name| json!({ "kind": kind, "apiGroup": RBAC, "name": name })),
        );
    }
    for account in accounts {
        let parts: Vec<&str> = account.split(':').collect();
        let [of, name] = parts[..] else {
            return Err(Error::message("serviceaccount must be <namespace>:<name>"));
        };
        if name.is_empty() {
            return Err(Error::message("serviceaccount must be <namespace>:<name>"));
        }
        let cluster_wide = |t: &Target| t.resource.kind == "ClusterRoleBinding";
        if of.is_empty() && targets.iter().any(cluster_wide) {
            return Err(Error::message(
                "serviceaccount must be <namespace>:<name>, namespace must be specified",
            ));
        }
        let of = if of.is_empty() { namespace } else { of };
        out.push(json!({ "kind": "ServiceAccount", "namespace": of, "name": name }));
    }
    Ok(out)
}

fn change(object: &mut Value, subjects: &[Value]) -> Result {
    if !["ClusterRoleBinding", "RoleBinding"].contains(&text(object, &["kind"])) {
        return Err(Error::message(format!(
            "error: {} setting subjects is only supported for RoleBinding/ClusterRoleBinding",
            pod_spec::title(object)
        )));
    }
    let there = object["subjects"].as_array().cloned().unwrap_or_default();
    let mut all = there.clone();
    all.extend(subjects.iter().filter(|s| !there.contains(s)).cloned());
    if all != there {
        object["subjects"] = all.into();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_added_once() {
        let user = |name: &str| json!({ "kind": "User", "apiGroup": RBAC, "name": name });
        let mut binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "subjects": [user("a")]});
        change(&mut binding, &[user("b"), user("a")]).unwrap();
        assert_eq!(binding["subjects"], json!([user("a"), user("b")]));
        let mut role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "r"}});
        assert_eq!(
            change(&mut role, &[user("b")]).unwrap_err().to_string(),
            "error: roles/r setting subjects is only supported for RoleBinding/ClusterRoleBinding"
        );
    }
}
