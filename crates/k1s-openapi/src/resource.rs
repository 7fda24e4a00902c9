// SPDX-License-Identifier: Apache-2.0
//! The paths of a resource: its collection, its objects, its subresources, and the watches of old.

use k1s_core::kinds::{Kind, Subresource};
use k1s_core::schema::{self, Schema};

use crate::discovery::{self, group_word, title};
use crate::operation::{
    ACCEPTED, ANY, Body, CREATED, CREATED_OR_ACCEPTED, LIST, LOG, OBJECT, OK, OWN, OWN_PATCH,
    Operation, PATCH, Path,
};
use crate::parameter::{Of, Parameter, all};

const STATUS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Status";
const WATCH_EVENT: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.WatchEvent";
const DELETE_OPTIONS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";
const PATCH_BODY: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";

/// Kinds whose objects are the answer to their deletion.
const GIVES_BACK: [(&str, &str); 16] = [
    ("", "persistentvolumeclaims"),
    ("", "persistentvolumes"),
    ("", "pods"),
    ("", "podtemplates"),
    ("", "resourcequotas"),
    ("", "serviceaccounts"),
    ("", "services"),
    ("resource.k8s.io", "deviceclasses"),
    ("resource.k8s.io", "resourceclaims"),
    ("resource.k8s.io", "resourceclaimtemplates"),
    ("resource.k8s.io", "resourceslices"),
    ("storage.k8s.io", "csidrivers"),
    ("storage.k8s.io", "csinodes"),
    ("storage.k8s.io", "storageclasses"),
    ("storage.k8s.io", "volumeattachments"),
    ("storage.k8s.io", "volumeattributesclasses"),
];

/// The paths of a group and version with all its resources, sorted.
pub(crate) fn group_version(group: &str, version: &str, kinds: &[&'static Kind]) -> Vec<Path> {
    let base = if group.is_empty() {
        format!("/api/{version}")
    } else {
        format!("/apis/{group}/{version}")
    };
    let word = group_word(group);
    let tag = format!("{word}_{version}");
    let id = format!("get{}{}APIResources", title(&word), title(version));
    let mut paths = vec![discovery::document(
        format!("{base}/"),
        id,
        "get available resources",
        tag.clone(),
        "APIResourceList",
    )];
    for kind in kinds {
        Resource {
            kind,
            base: &base,
            tag: &tag,
            words: format!("{}{}", title(&word), title(version)),
        }
        .paths(&mut paths);
    }
    paths.retain(|p| !p.operations.is_empty());
    paths.sort_by(|a, b| a.path.cmp(&b.path));
    paths
}

/// A resource whose paths are told.
struct Resource<'a> {
    kind: &'static Kind,
    base: &'a str,
    tag: &'a str,
    /// Group and version as identifiers tell them: `AppsV1`.
    words: String,
}

impl Resource<'_> {
    fn paths(&self, out: &mut Vec<Path>) {
        let Kind {
            plural, namespaced, ..
        } = *self.kind;
        let base = self.base;
        let below = if namespaced {
            "/namespaces/{namespace}"
        } else {
            ""
        };
        out.push(Path {
            path: format!("{base}{below}/{plural}"),
            operations: self.of_collection(),
        });
        out.push(Path {
            path: format!("{base}{below}/{plural}/{{name}}"),
            operations: self.of_object(),
        });
        if namespaced && self.kind.allows("list") {
            out.push(Path {
                path: format!("{base}/{plural}"),
                operations: vec![self.list("ForAllNamespaces", &[])],
            });
        }
        // the old paths of watches are not told of kinds that are younger than they
        if self.kind.allows("watch") && self.kind.custom.is_none() {
            let scope = self.scope();
            if namespaced {
                out.push(Path {
                    path: format!("{base}/watch/{plural}"),
                    operations: vec![self.watch("watchlist", "ListForAllNamespaces", &[])],
                });
            }
            out.push(Path {
                path: format!("{base}/watch{below}/{plural}"),
                operations: vec![self.watch("watchlist", "List", scope)],
            });
            let one: Vec<Of<'_>> = scope
                .iter()
                .copied()
                .chain([Of::Name(self.kind.kind)])
                .collect();
            out.push(Path {
                path: format!("{base}/watch{below}/{plural}/{{name}}"),
                operations: vec![self.watch("watch", "", &one)],
            });
        }
        for sub in self.kind.subresources {
            let path = format!("{base}{below}/{plural}/{{name}}/{}", sub.name);
            if sub.kind.ends_with("Options") {
                if sub.name == "proxy" {
                    out.push(Path {
                        path: format!("{path}/{{path}}"),
                        operations: self.connect(sub, true),
                    });
                }
                out.push(Path {
                    path,
                    operations: self.connect(sub, false),
                });
            } else {
                out.push(Path {
                    path,
                    operations: self.of_subresource(sub),
                });
            }
        }
    }

    /// The part of the path that says in which namespace.
    fn scope(&self) -> &'static [Of<'static>] {
        if self.kind.namespaced {
            &[Of::Namespace]
        } else {
            &[]
        }
    }

    fn scope_word(&self) -> &'static str {
        if self.kind.namespaced {
            "Namespaced"
        } else {
            ""
        }
    }

    /// The schema of a kind of this group and version.
    fn schema(&self, group: &str, version: &str, kind: &str) -> &'static str {
        let at = (group, version, kind);
        let of_kind = |s: &&&'static Schema| s.gvks.contains(&at);
        schema::all()
            .iter()
            .find(of_kind)
            .map_or(self.kind.schema.name, |s| s.name)
    }

    fn operation(
        &self,
        method: &'static str,
        action: &'static str,
        id: String,
        description: String,
    ) -> Operation {
        let own = self.kind.custom.is_some();
        Operation {
            method,
            id,
            description,
            tag: self.tag.to_owned(),
            action,
            kind: Some((self.kind.group, self.kind.version, self.kind.kind)),
            parameters: Vec::new(),
            body: None,
            consumes: if own { OWN } else { ANY },
            produces: if own { OWN } else { OBJECT },
            codes: OK,
            content: Some(self.kind.schema.name),
        }
    }

    fn parameters(&self, more: &[Of<'_>]) -> Vec<Parameter> {
        let of: Vec<Of<'_>> = self
            .scope()
            .iter()
            .copied()
            .chain([Of::Pretty])
            .chain(more.iter().copied())
            .collect();
        all(&of)
    }

    fn list(&self, suffix: &str, scope: &[Of<'_>]) -> Operation {
        let Kind {
            kind,
            group,
            version,
            ..
        } = *self.kind;
        let scope_word = if suffix.is_empty() {
            self.scope_word()
        } else {
            ""
        };
        let verbs = if self.kind.allows("watch") {
            "list or watch"
        } else {
            "list"
        };
        let mut out = self.operation(
            "get",
            "list",
            format!("list{}{scope_word}{kind}{suffix}", self.words),
            format!("{verbs} objects of kind {kind}"),
        );
        let of: Vec<Of<'_>> = scope
            .iter()
            .copied()
            .chain([Of::Pretty, Of::Select, Of::Watch])
            .collect();
        out.parameters = all(&of);
        match self.kind.custom {
            Some(custom) => out.content = Some(custom.list_schema),
            None => {
                out.produces = LIST;
                out.content = Some(self.schema(group, version, &format!("{kind}List")));
            }
        }
        out
    }

    fn watch(&self, action: &'static str, suffix: &str, scope: &[Of<'_>]) -> Operation {
        let kind = self.kind.kind;
        let scope_word = if suffix == "ListForAllNamespaces" {
            ""
        } else {
            self.scope_word()
        };
        let description = if action == "watch" {
            format!(
                "watch one {kind}; deprecated, a list with `watch` and a field selector on its name does the same"
            )
        } else {
            format!("watch a list of {kind}; deprecated, a list with `watch` does the same")
        };
        let mut out = self.operation(
            "get",
            action,
            format!("watch{}{scope_word}{kind}{suffix}", self.words),
            description,
        );
        let of: Vec<Of<'_>> = scope
            .iter()
            .copied()
            .chain([Of::Pretty, Of::Select, Of::Watch])
            .collect();
        out.parameters = all(&of);
        out.produces = LIST;
        out.content = Some(WATCH_EVENT);
        out
    }

    fn of_collection(&self) -> Vec<Operation> {
        let kind = self.kind.kind;
        let mut out = Vec::new();
        if self.kind.allows("list") {
            out.push(self.list("", self.scope()));
        }
        if self.kind.allows("create") {
            let mut create = self.operation(
                "post",
                "post",
                format!("create{}{}{kind}", self.words, self.scope_word()),
                format!("create {}", with_article(kind)),
            );
            create.parameters = self.parameters(&[Of::Write]);
            create.body = Some(Body {
                schema: self.kind.schema.name,
                required: true,
            });
            create.codes = CREATED_OR_ACCEPTED;
            out.push(create);
        }
        if self.kind.allows("deletecollection") {
            let id = format!("delete{}Collection{}{kind}", self.words, self.scope_word());
            let mut delete = self.operation(
                "delete",
                "deletecollection",
                id,
                format!("delete collection of {kind}"),
            );
            delete.parameters = self.parameters(&[Of::Select, Of::Delete]);
            delete.body = Some(Body {
                schema: DELETE_OPTIONS,
                required: false,
            });
            delete.content = Some(STATUS);
            out.push(delete);
        }
        out
    }

    fn of_object(&self) -> Vec<Operation> {
        let Kind {
            kind,
            group,
            plural,
            ..
        } = *self.kind;
        let mut out = self.read_and_write(
            self.kind.verbs,
            "",
            "",
            (self.kind.group, self.kind.version, kind),
            self.kind.schema.name,
        );
        if self.kind.allows("delete") {
            let mut delete = self.operation(
                "delete",
                "delete",
                format!("delete{}{}{kind}", self.words, self.scope_word()),
                format!("delete {}", with_article(kind)),
            );
            delete.parameters = self.parameters(&[Of::Name(kind), Of::Delete]);
            delete.body = Some(Body {
                schema: DELETE_OPTIONS,
                required: false,
            });
            delete.codes = ACCEPTED;
            if !GIVES_BACK.contains(&(group, plural)) {
                delete.content = Some(STATUS);
            }
            out.push(delete);
        }
        out
    }

    fn of_subresource(&self, sub: &'static Subresource) -> Vec<Operation> {
        let words = format!("{} of ", sub.name);
        let schema = self.schema(sub.group, sub.version, sub.kind);
        let kind = (sub.group, sub.version, sub.kind);
        let mut out = self.read_and_write(sub.verbs, &words, &title(sub.name), kind, schema);
        if sub.name == "log" {
            for read in &mut out {
                read.parameters = self.parameters(&[Of::Name(sub.kind), Of::Log]);
                read.produces = LOG;
                read.content = None;
            }
        }
        if sub.verbs.contains(&"create") {
            let parent = self.kind.kind;
            let id = format!(
                "create{}{}{parent}{}",
                self.words,
                self.scope_word(),
                title(sub.name)
            );
            let mut create = self.operation(
                "post",
                "post",
                id,
                format!("create {words}{}", with_article(parent)),
            );
            create.kind = Some(kind);
            create.parameters = self.parameters(&[Of::Name(sub.kind), Of::Write]);
            create.body = Some(Body {
                schema,
                required: true,
            });
            create.codes = CREATED_OR_ACCEPTED;
            create.content = Some(schema);
            out.push(create);
        }
        out
    }

    /// Read, replace and patch of an object or of a part of it.
    fn read_and_write(
        &self,
        verbs: &[&str],
        words: &str,
        suffix: &str,
        kind: (&'static str, &'static str, &'static str),
        schema: &'static str,
    ) -> Vec<Operation> {
        let parent = self.kind.kind;
        let begin = |method, action, verb: &str, says: &str| {
            let id = format!("{verb}{}{}{parent}{suffix}", self.words, self.scope_word());
            let mut out = self.operation(
                method,
                action,
                id,
                format!("{says} {words}the specified {parent}"),
            );
            out.kind = Some(kind);
            out.content = Some(schema);
            out
        };
        let mut out = Vec::new();
        if verbs.contains(&"get") {
            let mut read = begin("get", "get", "read", "read");
            read.parameters = self.parameters(&[Of::Name(kind.2)]);
            out.push(read);
        }
        if verbs.contains(&"update") {
            let mut replace = begin("put", "put", "replace", "replace");
            replace.parameters = self.parameters(&[Of::Name(kind.2), Of::Write]);
            replace.body = Some(Body {
                schema,
                required: true,
            });
            replace.codes = CREATED;
            out.push(replace);
        }
        if verbs.contains(&"patch") {
            let mut patch = begin("patch", "patch", "patch", "partially update");
            patch.parameters = self.parameters(&[Of::Name(kind.2), Of::Write, Of::Force]);
            patch.body = Some(Body {
                schema: PATCH_BODY,
                required: true,
            });
            patch.consumes = if self.kind.custom.is_some() {
                OWN_PATCH
            } else {
                PATCH
            };
            patch.codes = CREATED;
            out.push(patch);
        }
        out
    }

    fn connect(&self, sub: &'static Subresource, with_path: bool) -> Vec<Operation> {
        let parent = self.kind.kind;
        let methods: &[&str] = if sub.name == "proxy" {
            &["get", "put", "post", "delete", "options", "head", "patch"]
        } else {
            &["get", "post"]
        };
        let suffix = if with_path { "WithPath" } else { "" };
        let connect = |method: &&'static str| {
            let id = format!(
                "connect{}{}{}{parent}{}{suffix}",
                self.words,
                title(method),
                self.scope_word(),
                title(sub.name)
            );
            let mut out = self.operation(
                method,
                "connect",
                id,
                format!(
                    "connect {} requests to {} of {parent}",
                    method.to_uppercase(),
                    sub.name
                ),
            );
            let mut of: Vec<Of<'_>> = self.scope().to_vec();
            of.extend([Of::Name(sub.kind), Of::Connect(sub.kind)]);
            if with_path {
                of.push(Of::PathBelow);
            }
            out.kind = Some((sub.group, sub.version, sub.kind));
            out.parameters = all(&of);
            out.produces = ANY;
            out.content = None;
            out
        };
        methods.iter().map(connect).collect()
    }
}

/// The kind with `a` or `an` before it; a plural has neither.
fn with_article(kind: &str) -> String {
    match kind {
        plural if plural.ends_with('s') && !plural.ends_with("ss") => plural.to_owned(),
        vowel if vowel.starts_with(['A', 'E', 'I', 'O', 'U']) => format!("an {vowel}"),
        other => format!("a {other}"),
    }
}
