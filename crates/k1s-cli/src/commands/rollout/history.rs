// SPDX-License-Identifier: Apache-2.0
//! `rollout history`: which revisions there are, and what the pods of one were.

use k1s_core::object::text;
use serde_json::Value;

use super::revisions::{self, CHANGE_CAUSE, Revision};
use super::undo::restored;
use crate::context::Context;
use crate::describe::{page::Page, pod};
use crate::error::{Error, Result};
use crate::flag::Parsed;
use crate::print::Outcome;
use crate::selection::Target;
use crate::tabwriter;

pub(super) async fn run(cx: &Context, flags: &Parsed) -> Result {
    let wanted = flags.number("revision");
    let targets = super::targets(cx, flags).await?;
    if wanted < 0 {
        return Err(Error::message(format!(
            "revision must be a positive integer: {wanted}"
        )));
    }
    let mut outcome = Outcome::new(flags)?;
    let mut errors = Vec::new();
    for target in targets {
        let shown = match target {
            Ok(target) => show(cx, &mut outcome, &target, wanted).await,
            Err(error) => Err(error),
        };
        errors.extend(shown.err());
    }
    Error::all(errors)
}

async fn show(cx: &Context, outcome: &mut Outcome, target: &Target, wanted: i64) -> Result {
    let kind = target.resource.kind.as_str();
    let Some(revisions) = revisions::of(cx, target).await? else {
        return Err(Error::message(format!(
            "error retrieving history for \"{kind}\", no visitor method exists for {{{} {kind}}}",
            target.resource.group
        )));
    };
    let missing = || Error::message("unable to find the specified revision");
    let found = revisions.iter().find(|r| r.number == wanted);
    if outcome.has_form() {
        if wanted > 0 {
            return outcome.print(cx, &whole(target, found.ok_or_else(missing)?)?);
        }
        for revision in &revisions {
            outcome.print(cx, &whole(target, revision)?)?;
        }
        return Ok(());
    }
    let history = if revisions.is_empty() {
        "No rollout history found.".to_owned()
    } else if wanted > 0 {
        let whole = whole(target, found.ok_or_else(missing)?)?;
        let mut template = whole["spec"]["template"].clone();
        let cause = text(&whole, &["metadata", "annotations", CHANGE_CAUSE]);
        if !cause.is_empty() {
            template["metadata"]["annotations"][CHANGE_CAUSE] = cause.into();
        }
        described(&template)
    } else {
        overview(&revisions)
    };
    let with = if wanted > 0 {
        format!("with revision #{wanted}")
    } else {
        String::new()
    };
    cx.line(format_args!("{} {with}\n{history}", target.title()))
}

/// The object that a revision was, or its ReplicaSet.
fn whole(target: &Target, revision: &Revision) -> Result<Value> {
    if target.resource.kind == "Deployment" {
        return Ok(revision.object.clone());
    }
    restored(target, &revision.object)
}

fn overview(revisions: &[Revision]) -> String {
    let mut table = "REVISION\tCHANGE-CAUSE\n".to_owned();
    for Revision { number, object } in revisions {
        let cause = match text(object, &["metadata", "annotations", CHANGE_CAUSE]) {
            "" => "<none>",
            cause => cause,
        };
        table.push_str(&format!("{number}\t{cause}\n"));
    }
    tabwriter::describe(&table)
}

/// A template as `describe` shows it, but with its tabs: kubectl does not align them here.
pub(super) fn described(template: &Value) -> String {
    let mut page = Page::default();
    pod::template(&mut page, template);
    page.raw()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn revisions_and_causes() {
        let revision = |number: i64, cause: Value| Revision {
            number,
            object: json!({"metadata": {"annotations": {CHANGE_CAUSE: cause}}}),
        };
        assert_eq!(
            overview(&[revision(1, Value::Null), revision(10, json!("a new image"))]),
            "REVISION  CHANGE-CAUSE\n1         <none>\n10        a new image\n"
        );
    }
}
