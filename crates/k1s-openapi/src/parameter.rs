// SPDX-License-Identifier: Apache-2.0
//! The parameters that operations take.

use serde_json::{Map, Value};

use crate::descriptions::Descriptions;

/// Where a parameter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Query,
    Path,
}

/// The words of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Words {
    /// Those of the field of `DeleteOptions` of the same name.
    DeleteOption,
    These(&'static str),
    /// `name of the KIND`
    NameOf(String),
}

/// A parameter of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) place: Place,
    kind: &'static str,
    words: Words,
}

type Query = (&'static str, &'static str, &'static str);

const DRY_RUN: Query = ("dryRun", "string", "");
const PRETTY: Query = (
    "pretty",
    "string",
    "Whether JSON is indented: `true` or `false`. Without it, only browsers and command-line HTTP tools get it indented.",
);
const WRITE: [Query; 3] = [
    DRY_RUN,
    (
        "fieldManager",
        "string",
        "Name of the actor that makes the change, at most 128 printable characters. It is taken from the user agent when it is left out; apply needs it.",
    ),
    (
        "fieldValidation",
        "string",
        "What is done about unknown and duplicate fields: Ignore drops them, Warn (the default) drops them with a warning, Strict refuses the request.",
    ),
];
const FORCE: Query = (
    "force",
    "boolean",
    "Whether apply takes over fields that others own. Only for apply patches.",
);
const DELETE: [Query; 5] = [
    DRY_RUN,
    ("gracePeriodSeconds", "integer", ""),
    (
        "ignoreStoreReadErrorWithClusterBreakingPotential",
        "boolean",
        "",
    ),
    ("orphanDependents", "boolean", ""),
    ("propagationPolicy", "string", ""),
];
const SELECT: [Query; 8] = [
    (
        "continue",
        "string",
        "Token from the answer before, to get the next part of the list. It is refused with 410 when the state that it names is gone.",
    ),
    (
        "fieldSelector",
        "string",
        "Only objects whose fields match this selector.",
    ),
    (
        "labelSelector",
        "string",
        "Only objects whose labels match this selector.",
    ),
    (
        "limit",
        "integer",
        "The most objects in one answer; the answer has a continue token when there are more.",
    ),
    (
        "resourceVersion",
        "string",
        "Which state may be answered: none the newest, 0 any, another at least or exactly that one.",
    ),
    (
        "resourceVersionMatch",
        "string",
        "How resourceVersion is meant: Exact or NotOlderThan.",
    ),
    (
        "sendInitialEvents",
        "boolean",
        "Whether a watch begins with events for the objects that there are, followed by a bookmark. Needs resourceVersionMatch=NotOlderThan.",
    ),
    (
        "timeoutSeconds",
        "integer",
        "After how many seconds a list or watch ends.",
    ),
];
const WATCH: [Query; 2] = [
    (
        "allowWatchBookmarks",
        "boolean",
        "Whether a watch may send bookmarks, which tell only the resource version that it has reached.",
    ),
    (
        "watch",
        "boolean",
        "Whether changes are streamed from resourceVersion on, as events of added, modified and deleted objects.",
    ),
];
const CONTAINER: Query = (
    "container",
    "string",
    "The container; it may be left out where the pod has only one.",
);
const STREAMS: [Query; 4] = [
    (
        "stderr",
        "boolean",
        "Whether the standard error stream is carried.",
    ),
    (
        "stdin",
        "boolean",
        "Whether the standard input stream is carried.",
    ),
    (
        "stdout",
        "boolean",
        "Whether the standard output stream is carried.",
    ),
    ("tty", "boolean", "Whether the call has a terminal."),
];
const COMMAND: Query = (
    "command",
    "string",
    "The command and its arguments, which no shell reads.",
);
const PORTS: Query = ("ports", "integer", "The ports to forward.");
const PROXY_PATH: Query = ("path", "string", "The path of the URL to ask for.");
const LOG: [Query; 9] = [
    (
        "follow",
        "boolean",
        "Whether the answer goes on as the log grows.",
    ),
    (
        "insecureSkipTLSVerifyBackend",
        "boolean",
        "Whether the certificate of the node that keeps the log is taken unseen.",
    ),
    ("limitBytes", "integer", "The most bytes to answer."),
    (
        "previous",
        "boolean",
        "Whether the log is that of the container that ended before.",
    ),
    (
        "sinceSeconds",
        "integer",
        "How many seconds back the log begins.",
    ),
    ("stream", "string", "Which stream: All, Stdout or Stderr."),
    (
        "tailLines",
        "integer",
        "How many lines from the end the log begins.",
    ),
    (
        "timestamps",
        "boolean",
        "Whether each line begins with its time.",
    ),
    CONTAINER,
];

fn query((name, kind, words): Query) -> Parameter {
    let words = if words.is_empty() {
        Words::DeleteOption
    } else {
        Words::These(words)
    };
    Parameter {
        name,
        place: Place::Query,
        kind,
        words,
    }
}

/// The parameters of a kind of request, sorted by name.
pub(crate) fn all(of: &[Of<'_>]) -> Vec<Parameter> {
    let mut out: Vec<Parameter> = of
        .iter()
        .flat_map(|of| {
            let queries: &[Query] = match of {
                Of::Namespace => {
                    let words =
                        Words::These("object name and auth scope, such as for teams and projects");
                    return vec![Parameter {
                        name: "namespace",
                        place: Place::Path,
                        kind: "string",
                        words,
                    }];
                }
                Of::Name(kind) => {
                    return vec![Parameter {
                        name: "name",
                        place: Place::Path,
                        kind: "string",
                        words: Words::NameOf((*kind).to_owned()),
                    }];
                }
                Of::PathBelow => {
                    return vec![Parameter {
                        name: "path",
                        place: Place::Path,
                        kind: "string",
                        words: Words::These("path to the resource"),
                    }];
                }
                Of::Pretty => &[PRETTY],
                Of::Write => &WRITE,
                Of::Force => &[FORCE],
                Of::Delete => &DELETE,
                Of::Select => &SELECT,
                Of::Watch => &WATCH,
                Of::Log => &LOG,
                Of::Connect("PodAttachOptions") => {
                    return [CONTAINER].into_iter().chain(STREAMS).map(query).collect();
                }
                Of::Connect("PodExecOptions") => {
                    return [COMMAND, CONTAINER]
                        .into_iter()
                        .chain(STREAMS)
                        .map(query)
                        .collect();
                }
                Of::Connect("PodPortForwardOptions") => &[PORTS],
                Of::Connect(_) => &[PROXY_PATH],
            };
            queries.iter().copied().map(query).collect()
        })
        .collect();
    out.sort_by_key(|p| (p.name, p.place == Place::Query));
    out
}

/// A part of an operation's parameters.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Of<'a> {
    Namespace,
    /// The name of an object of this kind.
    Name(&'a str),
    /// What stands below a proxy's path.
    PathBelow,
    Pretty,
    Write,
    Force,
    Delete,
    Select,
    Watch,
    Log,
    /// The options of a connection.
    Connect(&'a str),
}

impl Parameter {
    /// Name, place and words; the type is told differently by each version of OpenAPI.
    pub(crate) fn describe(&self, texts: &mut Descriptions) -> Map<String, Value> {
        let mut out = Map::new();
        let words = match &self.words {
            Words::DeleteOption => texts
                .of_field(
                    "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions",
                    self.name,
                )
                .to_owned(),
            Words::These(words) => (*words).to_owned(),
            Words::NameOf(kind) => format!("name of the {kind}"),
        };
        out.insert("name".into(), self.name.into());
        out.insert("description".into(), words.into());
        match self.place {
            Place::Query => out.insert("in".into(), "query".into()),
            Place::Path => {
                out.insert("in".into(), "path".into());
                out.insert("required".into(), true.into())
            }
        };
        out
    }

    /// Its type.
    pub(crate) fn shape(&self) -> Map<String, Value> {
        Map::from_iter([
            ("type".to_owned(), self.kind.into()),
            ("uniqueItems".to_owned(), true.into()),
        ])
    }

    /// Whether version 2 tells this parameter in one place for all operations.
    pub(crate) fn is_shared(&self) -> bool {
        match self.place {
            // old clients look for these two in the operation itself
            Place::Query => !matches!(self.name, "dryRun" | "fieldValidation"),
            Place::Path => self.name == "namespace",
        }
    }
}
