// SPDX-License-Identifier: Apache-2.0
//! `create serviceaccount`, `create role`, `create clusterrole`, and the bindings.

use super::{MAKING, Made, finish, identity, name};
use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::{Flag, FlagError, Parsed};
use crate::generate::{self, Binding, Identity, ResourceArgument};
use crate::print;

/// Verbs of resources that need no warning.
const RESOURCE_VERBS: [&str; 14] = [
    "*",
    "get",
    "delete",
    "list",
    "create",
    "update",
    "patch",
    "watch",
    "proxy",
    "deletecollection",
    "use",
    "bind",
    "escalate",
    "impersonate",
];

/// Verbs of other URLs.
const URL_VERBS: [&str; 8] = [
    "*", "get", "post", "put", "delete", "patch", "head", "options",
];

/// Verbs that only some resources have, as (verb, group, resource).
const SPECIAL_VERBS: [(&str, &str, &str); 10] = [
    ("use", "policy", "podsecuritypolicies"),
    ("use", "extensions", "podsecuritypolicies"),
    ("bind", "rbac.authorization.k8s.io", "roles"),
    ("bind", "rbac.authorization.k8s.io", "clusterroles"),
    ("escalate", "rbac.authorization.k8s.io", "roles"),
    ("escalate", "rbac.authorization.k8s.io", "clusterroles"),
    ("impersonate", "", "users"),
    ("impersonate", "", "serviceaccounts"),
    ("impersonate", "", "groups"),
    ("impersonate", "authentication.k8s.io", "userextras"),
];

/// `create serviceaccount`.
pub(super) static SERVICE_ACCOUNT: Command = Command {
    name: "serviceaccount",
    aliases: &["sa"],
    usage: "NAME",
    about: "Create a service account",
    examples: &[("An account for programs", "create serviceaccount robot")],
    flags: &[MAKING, print::FLAGS, print::DRY_RUN],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(service_account(cx, flags))),
};

const RULES: &[Flag] = &[
    Flag::list(
        "resource",
        "Resource of the rule, resource.group/subresource.",
    ),
    Flag::each("resource-name", "Name that the rule is limited to."),
    Flag::list("verb", "Verb of the rule."),
];

/// `create role`.
pub(super) static ROLE: Command = Command {
    name: "role",
    aliases: &[],
    usage: "NAME --verb=VERB --resource=RESOURCE[.GROUP][/SUBRESOURCE] [--resource-name=NAME]",
    about: "Create a role",
    examples: &[
        (
            "Pods may be read",
            "create role reader --verb=get,list,watch --resource=pods",
        ),
        (
            "One deployment may be scaled",
            "create role scaler --verb=update,patch --resource=deployments.apps/scale --resource-name=web",
        ),
    ],
    flags: &[RULES, MAKING, print::FLAGS, print::DRY_RUN],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(role(cx, flags))),
};

/// `create clusterrole`.
pub(super) static CLUSTER_ROLE: Command = Command {
    name: "clusterrole",
    aliases: &[],
    usage: "NAME --verb=VERB --resource=RESOURCE[.GROUP][/SUBRESOURCE] [--resource-name=NAME]",
    about: "Create a cluster role",
    examples: &[
        (
            "Nodes may be read",
            "create clusterrole node-reader --verb=get,list --resource=nodes",
        ),
        (
            "Paths that are no objects",
            "create clusterrole health --verb=get --non-resource-url=/healthz",
        ),
        (
            "What roles with a label allow",
            "create clusterrole all-of-it --aggregation-rule=team=red",
        ),
    ],
    flags: &[
        RULES,
        &[
            Flag::list(
                "aggregation-rule",
                "Labels of the roles that this one is the sum of.",
            ),
            Flag::list("non-resource-url", "Path that is no resource."),
        ],
        MAKING,
        print::FLAGS,
        print::DRY_RUN,
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(cluster_role(cx, flags))),
};

const SUBJECTS: &[Flag] = &[
    Flag::each("group", "Group that gets the role."),
    Flag::each(
        "serviceaccount",
        "Service account that gets the role, namespace:name.",
    ),
    Flag::each("user", "User that gets the role."),
];

/// `create rolebinding`.
pub(super) static ROLE_BINDING: Command = Command {
    name: "rolebinding",
    aliases: &[],
    usage: "NAME (--clusterrole=NAME | --role=NAME) [--user=NAME] [--group=NAME] [--serviceaccount=NAMESPACE:NAME]",
    about: "Bind a role within a namespace",
    examples: &[
        (
            "A role for a user",
            "create rolebinding jane-reads --role=reader --user=jane",
        ),
        (
            "A cluster role in this namespace, for a service account",
            "create rolebinding robot-views --clusterrole=view --serviceaccount=default:robot",
        ),
    ],
    flags: &[
        SUBJECTS,
        &[
            Flag::text("clusterrole", "Cluster role to bind."),
            Flag::text("role", "Role to bind."),
        ],
        MAKING,
        print::FLAGS,
        print::DRY_RUN,
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(role_binding(cx, flags))),
};

/// `create clusterrolebinding`.
pub(super) static CLUSTER_ROLE_BINDING: Command = Command {
    name: "clusterrolebinding",
    aliases: &[],
    usage: "NAME --clusterrole=NAME [--user=NAME] [--group=NAME] [--serviceaccount=NAMESPACE:NAME]",
    about: "Bind a cluster role everywhere",
    examples: &[(
        "A cluster role for a group, everywhere",
        "create clusterrolebinding admins --clusterrole=cluster-admin --group=admins",
    )],
    flags: &[
        SUBJECTS,
        &[Flag::text("clusterrole", "Cluster role to bind.").required()],
        MAKING,
        print::FLAGS,
        print::DRY_RUN,
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(cluster_role_binding(cx, flags))),
};

async fn service_account(cx: &Context, flags: &Parsed) -> Result {
    let name = name(flags)?;
    let namespace = cx.namespace()?;
    let object = generate::service_account(identity(name, &namespace));
    let path = format!("/api/v1/namespaces/{}/serviceaccounts", namespace.0);
    let refused = "failed to create serviceaccount: ";
    finish(
        cx,
        flags,
        Made {
            object,
            path,
            kind: "serviceaccount",
            done: "created",
            refused,
        },
    )
    .await
}

async fn role(cx: &Context, flags: &Parsed) -> Result {
    let name = name(flags)?;
    let namespace = cx.namespace()?;
    let (verbs, names) = (flags.list("verb"), flags.list("resource-name"));
    let asked = generate::split_resource(&flags.list("resource"));
    if verbs.is_empty() {
        return Err(Error::message("at least one verb must be specified"));
    }
    warn_of_verbs(cx, &verbs);
    if asked.is_empty() {
        return Err(Error::message("at least one resource must be specified"));
    }
    let resources = resources(cx, &verbs, &asked).await?;
    let object = generate::role(
        "Role",
        identity(name, &namespace),
        &verbs,
        &resources,
        &names,
        &[],
    );
    let path = format!(
        "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
        namespace.0
    );
    finish(
        cx,
        flags,
        Made {
            object,
            path,
            kind: "role.rbac.authorization.k8s.io",
            done: "created",
            refused: "",
        },
    )
    .await
}

async fn cluster_role(cx: &Context, flags: &Parsed) -> Result {
    let name = name(flags)?;
    let (verbs, names, urls) = (
        flags.list("verb"),
        flags.list("resource-name"),
        flags.list("non-resource-url"),
    );
    let asked = generate::split_resource(&flags.list("resource"));
    let labels = flags.list("aggregation-rule");
    let object = if labels.is_empty() {
        check_rule(&verbs, &asked, &urls)?;
        let mut resources = Vec::new();
        if !asked.is_empty() {
            warn_of_verbs(cx, &verbs);
            resources = self::resources(cx, &verbs, &asked).await?;
        }
        check_urls(&verbs, &urls)?;
        generate::role(
            "ClusterRole",
            Identity {
                name,
                namespace: None,
            },
            &verbs,
            &resources,
            &names,
            &urls,
        )
    } else {
        if !(verbs.is_empty() && asked.is_empty() && names.is_empty() && urls.is_empty()) {
            return Err(Error::message(
                "aggregation rule must be specified without nonResourceURLs, verbs, resources or resourceNames",
            ));
        }
        let pair = |label: &String| {
            label
                .split_once('=')
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
        };
        let malformed = || Error::Flag {
            source: FlagError::Invalid {
                value: flags.text("aggregation-rule").to_owned(),
                flag: "--aggregation-rule".to_owned(),
                why: "malformed pair, expect string=string".to_owned(),
            },
            path: flags.path.clone(),
        };
        generate::cluster_role_aggregated(
            name,
            &labels
                .iter()
                .map(pair)
                .collect::<Option<Vec<_>>>()
                .ok_or_else(malformed)?,
        )
    };
    let path = "/apis/rbac.authorization.k8s.io/v1/clusterroles".to_owned();
    finish(
        cx,
        flags,
        Made {
            object,
            path,
            kind: "clusterrole.rbac.authorization.k8s.io",
            done: "created",
            refused: "",
        },
    )
    .await
}

async fn role_binding(cx: &Context, flags: &Parsed) -> Result {
    let name = name(flags)?;
    let namespace = cx.namespace()?;
    let (role, cluster_role) = (flags.text("role"), flags.text("clusterrole"));
    if role.is_empty() == cluster_role.is_empty() {
        return Err(Error::message(
            "exactly one of clusterrole or role must be specified",
        ));
    }
    let (role_kind, role) = if role.is_empty() {
        ("ClusterRole", cluster_role)
    } else {
        ("Role", role)
    };
    let object = bind(
        "RoleBinding",
        identity(name, &namespace),
        role_kind,
        role,
        flags,
    )?;
    let path = format!(
        "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
        namespace.0
    );
    let refused = "failed to create rolebinding: ";
    finish(
        cx,
        flags,
        Made {
            object,
            path,
            kind: "rolebinding.rbac.authorization.k8s.io",
            done: "created",
            refused,
        },
    )
    .await
}

async fn cluster_role_binding(cx: &Context, flags: &Parsed) -> Result {
    let name = name(flags)?;
    let object = bind(
        "ClusterRoleBinding",
        Identity {
            name,
            namespace: None,
        },
        "ClusterRole",
        flags.text("clusterrole"),
        flags,
    )?;
    let path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings".to_owned();
    let refused = "failed to create clusterrolebinding: ";
    finish(
        cx,
        flags,
        Made {
            object,
            path,
            kind: "clusterrolebinding.rbac.authorization.k8s.io",
            done: "created",
            refused,
        },
    )
    .await
}

fn bind(
    kind: &str,
    identity: Identity<'_>,
    role_kind: &str,
    role: &str,
    flags: &Parsed,
) -> Result<serde_json::Value> {
    let [users, groups, service_accounts] =
        ["user", "group", "serviceaccount"].map(|flag| flags.list(flag));
    let binding = Binding {
        role_kind,
        role,
        users: &users,
        groups: &groups,
        service_accounts: &service_accounts,
    };
    Ok(generate::role_binding(kind, identity, &binding)?)
}

fn warn_of_verbs(cx: &Context, verbs: &[String]) {
    if verbs.iter().any(|verb| verb == "*") {
        return;
    }
    for verb in verbs
        .iter()
        .filter(|verb| !RESOURCE_VERBS.contains(&verb.as_str()))
    {
        cx.talk(format_args!(
            "Warning: '{verb}' is not a standard resource verb"
        ));
    }
}

/// The resources by group and plural; those with special verbs need not be known to the API.
async fn resources(
    cx: &Context,
    verbs: &[String],
    asked: &[ResourceArgument],
) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for argument in asked {
        if argument.resource.is_empty() {
            return Err(Error::message(
                "resource must be specified if apiGroup/subresource specified",
            ));
        }
        let (mut group, mut plural, mut unknown) =
            (argument.group.clone(), argument.resource.clone(), None);
        if plural != "*" {
            let word = if group.is_empty() {
                plural.clone()
            } else {
                format!("{plural}.{group}")
            };
            match cx.resource(&word).await {
                Ok(resource) => (group, plural) = (resource.group.clone(), resource.plural.clone()),
                // The words of a resource that nobody has stand without a title before them.
                Err(error @ Error::NoResource { .. }) => {
                    unknown = Some(Error::Text(error.in_words()));
                }
                Err(error) => return Err(error),
            }
            for verb in verbs {
                let mut of_verb = SPECIAL_VERBS
                    .iter()
                    .filter(|(special, ..)| special == verb)
                    .peekable();
                if of_verb.peek().is_none() {
                    continue;
                }
                if !of_verb
                    .any(|(_, of_group, of_plural)| *of_group == group && *of_plural == plural)
                {
                    return Err(Error::message(format!(
                        "can not perform '{verb}' on '{plural}' in group '{group}'"
                    )));
                }
                unknown = None;
            }
            if let Some(error) = unknown {
                return Err(error);
            }
        }
        if !argument.subresource.is_empty() {
            plural = format!("{plural}/{}", argument.subresource);
        }
        found.push((group, plural));
    }
    Ok(found)
}

fn check_rule(verbs: &[String], resources: &[ResourceArgument], urls: &[String]) -> Result {
    if verbs.is_empty() {
        return Err(Error::message("at least one verb must be specified"));
    }
    if resources.is_empty() && urls.is_empty() {
        return Err(Error::message(
            "one of resource or nonResourceURL must be specified",
        ));
    }
    Ok(())
}

fn check_urls(verbs: &[String], urls: &[String]) -> Result {
    if urls.is_empty() {
        return Ok(());
    }
    if let Some(verb) = verbs
        .iter()
        .find(|verb| !URL_VERBS.contains(&verb.as_str()))
    {
        return Err(Error::message(format!(
            "invalid verb: '{verb}' for nonResourceURL"
        )));
    }
    for url in urls.iter().filter(|url| *url != "*") {
        if !url.starts_with('/') {
            return Err(Error::message("nonResourceURL should start with /"));
        }
        if url.find('*').is_some_and(|at| at + 1 < url.len()) {
            return Err(Error::message(
                "nonResourceURL only supports wildcard matches when '*' is at the end",
            ));
        }
    }
    Ok(())
}
