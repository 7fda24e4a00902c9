// SPDX-License-Identifier: Apache-2.0
//! `create namespace`, `create quota`, `create poddisruptionbudget`, `create priorityclass`.

use super::{MAKING, Made, finish, identity, name, small};
use crate::command::Command;
use crate::context::Context;
use crate::error::Result;
use crate::flag::{Flag, Parsed};
use crate::generate;
use crate::print;

/// `create namespace`.
pub(super) static NAMESPACE: Command = Command {
    name: "namespace",
    aliases: &["ns"],
    usage: "NAME",
    about: "Create a namespace",
    examples: &[("A namespace", "create namespace garden")],
    flags: &[MAKING, print::FLAGS, print::DRY_RUN],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(namespace(cx, flags))),
};

/// `create quota`.
pub(super) static QUOTA: Command = Command {
    name: "quota",
    aliases: &["resourcequota"],
    usage: "NAME [--hard=RESOURCE=QUANTITY,...] [--scopes=SCOPE,...]",
    about: "Create a quota",
    examples: &[
        (
            "Limit a namespace",
            "create quota small --hard=cpu=2,memory=1Gi,pods=10",
        ),
        (
            "Only for pods that run to their end",
            "create quota jobs --hard=pods=5 --scopes=Terminating",
        ),
    ],
    flags: &[
        &[
            Flag::text("hard", "Limits, resource=quantity,…"),
            Flag::text("scopes", "Scopes that all have to match."),
        ],
        MAKING,
        print::FLAGS,
        print::DRY_RUN,
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(quota(cx, flags))),
};

/// `create poddisruptionbudget`.
pub(super) static DISRUPTION_BUDGET: Command = Command {
    name: "poddisruptionbudget",
    aliases: &["pdb"],
    usage: "NAME --selector=SELECTOR (--min-available=N | --max-unavailable=N)",
    about: "Create a pod disruption budget",
    examples: &[
        (
            "Keep at least one pod",
            "create poddisruptionbudget web --selector=app=web --min-available=1",
        ),
        (
            "Lose at most half of them",
            "create pdb web --selector=app=web --max-unavailable=50%",
        ),
    ],
    flags: &[
        &[
            Flag::text(
                "max-unavailable",
                "How many pods may be missing, a number or a percentage.",
            ),
            Flag::text(
                "min-available",
                "How many pods have to be there, a number or a percentage.",
            ),
            Flag::text("selector", "Label selector of the pods."),
        ],
        MAKING,
        print::FLAGS,
        print::DRY_RUN,
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(disruption_budget(cx, flags))),
};

/// `create priorityclass`.
pub(super) static PRIORITY_CLASS: Command = Command {
    name: "priorityclass",
    aliases: &["pc"],
    usage: "NAME --value=N [--global-default=BOOL] [--description=TEXT]",
    about: "Create a priority class",
    examples: &[(
        "Pods that go first",
        "create priorityclass high --value=1000 --description='goes first'",
    )],
    flags: &[
        &[
            Flag::text("description", "For people."),
            Flag::switch(
                "global-default",
                "Whether pods without a class get this one.",
            ),
            Flag::text("preemption-policy", "PreemptLowerPriority or Never.")
                .default("PreemptLowerPriority"),
            Flag::number("value", "0", "The priority."),
        ],
        MAKING,
        print::FLAGS,
        print::DRY_RUN,
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(priority_class(cx, flags))),
};

async fn namespace(cx: &Context, flags: &Parsed) -> Result {
    let object = generate::namespace(name(flags)?);
    let path = "/api/v1/namespaces".to_owned();
    finish(
        cx,
        flags,
        Made {
            object,
            path,
            kind: "namespace",
            done: "created",
            refused: "",
        },
    )
    .await
}

async fn quota(cx: &Context, flags: &Parsed) -> Result {
    let name = name(flags)?;
    let namespace = cx.namespace()?;
    let object = generate::resource_quota(
        identity(name, &namespace),
        flags.text("hard"),
        flags.text("scopes"),
    )?;
    let path = format!("/api/v1/namespaces/{}/resourcequotas", namespace.0);
    finish(
        cx,
        flags,
        Made {
            object,
            path,
            kind: "resourcequota",
            done: "created",
            refused: "failed to create quota: ",
        },
    )
    .await
}

async fn disruption_budget(cx: &Context, flags: &Parsed) -> Result {
    let name = name(flags)?;
    let namespace = cx.namespace()?;
    let budget = generate::Budget {
        selector: flags.text("selector"),
        min_available: flags.text("min-available"),
        max_unavailable: flags.text("max-unavailable"),
    };
    let object = generate::disruption_budget(identity(name, &namespace), &budget)?;
    let path = format!(
        "/apis/policy/v1/namespaces/{}/poddisruptionbudgets",
        namespace.0
    );
    let refused = "failed to create poddisruptionbudgets: ";
    finish(
        cx,
        flags,
        Made {
            object,
            path,
            kind: "poddisruptionbudget.policy",
            done: "created",
            refused,
        },
    )
    .await
}

async fn priority_class(cx: &Context, flags: &Parsed) -> Result {
    let class = generate::PriorityClass {
        value: small(flags, "value")?,
        global_default: flags.on("global-default"),
        description: flags.text("description"),
        preemption_policy: flags.text("preemption-policy"),
    };
    let object = generate::priority_class(name(flags)?, &class);
    let path = "/apis/scheduling.k8s.io/v1/priorityclasses".to_owned();
    let refused = "failed to create priorityclass: ";
    finish(
        cx,
        flags,
        Made {
            object,
            path,
            kind: "priorityclass.scheduling.k8s.io",
            done: "created",
            refused,
        },
    )
    .await
}
