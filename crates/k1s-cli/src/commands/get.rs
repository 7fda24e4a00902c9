// SPDX-License-Identifier: Apache-2.0
//! `get`: objects as tables, JSON, YAML, names, templates and columns; once, or as they change.

use std::rc::Rc;

use k1s_core::object::text;
use serde_json::{Value, json};

use crate::client::{Call, TABLE};
use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::mapping::Resource;
use crate::print::table::{Options, Sheet};
use crate::print::{self, Forms, Printer};
use crate::selection::{ALL_NAMESPACES, Ask, Plan, Selection};
use crate::source;

mod order;
pub(super) mod watch;

/// `get`.
pub(super) static COMMAND: Command = Command {
    name: "get",
    aliases: &[],
    usage: "(TYPE[.VERSION][.GROUP] [NAME…] | TYPE/NAME… | -f FILE) [OPTIONS]",
    about: "Display one or many objects.",
    examples: &[
        (
            "All pods of the namespace, with nodes and addresses",
            "get pods -o wide",
        ),
        ("One object, all of it", "get configmap settings -o yaml"),
        ("One value", "get service web -o jsonpath={.spec.clusterIP}"),
        (
            "Columns of one's own, sorted",
            "get pods -o custom-columns=NAME:.metadata.name,IMAGE:.spec.containers[*].image --sort-by=.metadata.name",
        ),
        (
            "Several kinds of all namespaces, by labels",
            "get deployments,services -A -l app=web",
        ),
        ("As they change", "get pods --watch"),
    ],
    flags: &[
        FLAGS,
        print::FLAGS,
        source::FLAGS,
        ALL_NAMESPACES,
        &[
            Flag::text(
                "field-selector",
                "Only objects whose fields are so: key1=value1,key2!=value2.",
            ),
            Flag::text(
                "selector",
                "Only objects with such labels: key1=value1,key2 in (a, b).",
            )
            .short('l'),
        ],
    ],
    subcommands: &[],
    run: Some(|cx, args| Box::pin(run(cx, args))),
};

const FLAGS: &[Flag] = &[
    Flag::number(
        "chunk-size",
        "500",
        "How many objects of a list are asked for at a time; 0 is all.",
    ),
    Flag::switch(
        "ignore-not-found",
        "Nothing is said of an object that is not there.",
    ),
    Flag::list("label-columns", "Labels with a column each.").short('L'),
    Flag::switch("no-headers", "No line of headings."),
    Flag::switch(
        "output-watch-events",
        "With --watch: the type of the event too.",
    ),
    Flag::text("raw", "A path of the API to show as it is answered."),
    Flag::switch(
        "server-print",
        "Let the API make the tables; without it only names and ages are shown.",
    )
    .default("true"),
    Flag::switch("show-kind", "Names with the kind before them."),
    Flag::switch("show-labels", "A column with all labels."),
    Flag::text(
        "sort-by",
        "A path by whose value the objects are sorted: {.metadata.name}.",
    ),
    Flag::text(
        "subresource",
        "A subresource in place of the object: status, scale.",
    ),
    Flag::switch("watch", "After what there is, what changes.").short('w'),
    Flag::switch("watch-only", "Only what changes."),
];

/// A thing that was got: one object, or with a table the rows of a whole list.
struct Got {
    resource: Rc<Resource>,
    value: Value,
}

async fn run(cx: &Context, args: &Parsed) -> Result {
    if !args.text("raw").is_empty() {
        return raw(cx, args).await;
    }
    let form = args.text("output");
    if args.on("show-labels") && !form.is_empty() && form != "wide" {
        return Err(Error::message(format!(
            "--show-labels option cannot be used with {form} printer"
        )));
    }
    if args.on("output-watch-events") && !(args.on("watch") || args.on("watch-only")) {
        return Err(Error::message(
            "--output-watch-events option can only be used with --watch or --watch-only",
        ));
    }
    let printer = Printer::new(args, Forms::Tables)?;
    if args.args.is_empty() && !source::is_given(args) {
        return Err(Error::Text(format!(
            "You must specify the type of resource to get. Use \"{0} api-resources\" for a complete list of supported resources.\n\n\
             error: Required resource not specified.\nUse \"{0} explain <resource>\" for a detailed description of that resource \
             (e.g. {0} explain pods).\nSee '{0} get -h' for help and examples",
            crate::PROGRAM
        )));
    }
    let mut selection = Selection::new(cx, args)?;
    selection.bare_kind_is_all = true;
    if !args.text("sort-by").is_empty() {
        // What is sorted must be there as a whole.
        selection.chunk = 0;
    }
    if args.on("watch") || args.on("watch-only") {
        return watch::run(cx, args, &selection, printer).await;
    }
    let plan = selection.plan(cx, args).await?;
    match printer {
        Some(printer) => objects(cx, args, &selection, plan, printer).await,
        None => tables(cx, args, &selection, plan).await,
    }
}

async fn raw(cx: &Context, args: &Parsed) -> Result {
    if !args.args.is_empty() {
        return Err(Error::message(
            "arguments may not be passed when --raw is specified",
        ));
    }
    if args.on("watch") || args.on("watch-only") || !args.text("selector").is_empty() {
        return Err(Error::message(
            "--raw may not be specified with other flags that filter the server request or alter the output",
        ));
    }
    if !args.text("output").is_empty() {
        return Err(Error::message("--raw and --output are mutually exclusive"));
    }
    let path = args.text("raw");
    if !path.starts_with('/') {
        return Err(Error::message(format!(
            "--raw must be a valid URL path: parse {}: invalid URI for request",
            k1s_core::quote::Quoted(path)
        )));
    }
    let answer = cx
        .call(&Call::get(path).accept("application/json, */*"))
        .await?;
    cx.bytes(&answer.body)
}

/// Whether the objects of a plan are of several kinds.
fn several_kinds(got: &[Got]) -> bool {
    got.iter().skip(1).any(|g| {
        g.resource.kind != got[0].resource.kind || g.resource.group != got[0].resource.group
    })
}

/// The forms of whole objects.
async fn objects(
    cx: &Context,
    args: &Parsed,
    selection: &Selection,
    plan: Plan,
    mut printer: Printer,
) -> Result {
    let single = plan.single;
    let (mut got, errors) = fetch(cx, args, selection, plan, "application/json").await;
    if single && !errors.is_empty() {
        return Error::all(errors);
    }
    if got.is_empty() && args.on("ignore-not-found") {
        return Error::all(errors);
    }
    let sort = args.text("sort-by");
    if !sort.is_empty() {
        order::sort_objects(sort, &mut got)?;
    }
    if single && got.len() == 1 {
        printer.print(cx, &got[0].value)?;
    } else {
        let items: Vec<Value> = got.into_iter().map(|g| g.value).collect();
        printer.print(
            cx,
            &json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": items}),
        )?;
    }
    Error::all(errors)
}

/// The tables of the API, one below the other.
async fn tables(cx: &Context, args: &Parsed, selection: &Selection, plan: Plan) -> Result {
    let accept = if args.on("server-print") {
        TABLE
    } else {
        "application/json"
    };
    let (mut got, mut errors) = fetch(cx, args, selection, plan, accept).await;
    let sort = args.text("sort-by");
    if !sort.is_empty() {
        order::sort_tables(sort, &mut got)?;
    }
    let namespaced = got.iter().all(|g| g.resource.namespaced);
    // A kind without objects counts as well.
    let with_kind = args.on("show-kind") || several_kinds(&got);
    got.retain(|g| {
        text(&g.value, &["kind"]) != "Table"
            || g.value["rows"].as_array().is_some_and(|r| !r.is_empty())
    });
    let mut written = false;
    let mut sheet: Option<(Rc<Resource>, Sheet)> = None;
    for Got { resource, value } in got {
        let same = sheet
            .as_ref()
            .is_some_and(|(of, _)| of.plural == resource.plural && of.group == resource.group);
        if !same {
            if let Some((_, sheet)) = &mut sheet {
                let text = sheet.take();
                written |= !text.is_empty();
                cx.print(text)?;
            }
            if written && !args.on("no-headers") {
                cx.line("")?;
            }
            sheet = Some((
                resource.clone(),
                Sheet::new(options(args, selection, &resource, with_kind)),
            ));
        }
        if let Some((_, sheet)) = &mut sheet {
            sheet.push(&value, None);
        }
    }
    if let Some((_, sheet)) = &mut sheet {
        let text = sheet.take();
        written |= !text.is_empty();
        cx.print(text)?;
    }
    if !written && !args.on("ignore-not-found") && errors.is_empty() {
        if selection.all_namespaces || !namespaced {
            cx.talk("No resources found");
        } else {
            cx.talk(format_args!(
                "No resources found in {} namespace.",
                selection.namespace
            ));
        }
    }
    if errors.is_empty() {
        return Ok(());
    }
    // What the API did not give is told without the word "error".
    let alone = |e: &Error| {
        matches!(e, Error::Message(_)) || e.refusal().is_some_and(|r| r.reason == "Invalid")
    };
    if errors.len() == 1 && alone(&errors[0]) {
        return Err(errors.remove(0));
    }
    Err(Error::Many(errors))
}

/// What a table shows of objects of this kind.
fn options(args: &Parsed, selection: &Selection, resource: &Resource, with_kind: bool) -> Options {
    Options {
        wide: args.text("output") == "wide",
        no_headers: args.on("no-headers"),
        with_namespace: selection.all_namespaces && resource.namespaced,
        kind: with_kind.then(|| resource.group_kind()),
        label_columns: args.list("label-columns"),
        show_labels: args.on("show-labels"),
    }
}

/// Asks for everything in the plan; objects that are not there are errors, unless that is to be ignored.
async fn fetch(
    cx: &Context,
    args: &Parsed,
    selection: &Selection,
    plan: Plan,
    accept: &'static str,
) -> (Vec<Got>, Vec<Error>) {
    let (mut got, mut errors) = (Vec::new(), Vec::new());
    let ignore = args.on("ignore-not-found");
    // To sort by any field the rows must have the whole objects.
    let include = if accept == TABLE && args.given("sort-by") {
        "Object"
    } else {
        ""
    };
    for ask in plan.asks {
        let outcome = match ask {
            Err(e) => Err(e),
            Ok(Ask::Many {
                resource,
                namespace,
            }) => {
                pages(
                    cx, selection, &resource, &namespace, accept, include, &mut got,
                )
                .await
            }
            Ok(ask) => {
                let (resource, namespace, name) = by_name(ask);
                let call = Call::get(resource.path(&namespace, &name, &selection.subresource))
                    .accept(accept)
                    .query("includeObject", include);
                cx.object(&call, &namespace)
                    .await
                    .map(|value| got.push(Got { resource, value }))
            }
        };
        match outcome {
            Ok(()) => {}
            Err(e) if ignore && e.is_not_found() => {}
            Err(e) => errors.push(e),
        }
    }
    (got, errors)
}

fn by_name(ask: Ask) -> (Rc<Resource>, String, String) {
    match ask {
        Ask::One {
            resource,
            namespace,
            name,
        } => (resource, namespace, name),
        Ask::Many {
            resource,
            namespace,
        } => (resource, namespace, String::new()),
        Ask::File(target) => (target.resource, target.namespace, target.name),
    }
}

/// A whole list: as tables page by page, or object by object.
async fn pages(
    cx: &Context,
    selection: &Selection,
    resource: &Rc<Resource>,
    namespace: &str,
    accept: &'static str,
    include: &str,
    got: &mut Vec<Got>,
) -> Result {
    let mut token = String::new();
    loop {
        let call = selection
            .list_call(resource, namespace, &token)
            .accept(accept)
            .query("includeObject", include);
        let mut page = cx
            .json(&call)
            .await
            .map_err(|e| selection.list_error(resource, e))?;
        text(&page, &["metadata", "continue"]).clone_into(&mut token);
        if text(&page, &["kind"]) == "Table" {
            got.push(Got {
                resource: resource.clone(),
                value: page,
            });
        } else if let Value::Array(items) = page["items"].take() {
            for mut value in items {
                if text(&value, &["kind"]).is_empty() {
                    value["apiVersion"] = resource.api_version().into();
                    value["kind"] = resource.kind.clone().into();
                }
                got.push(Got {
                    resource: resource.clone(),
                    value,
                });
            }
        }
        if token.is_empty() {
            return Ok(());
        }
    }
}
