// SPDX-License-Identifier: Apache-2.0
//! Which objects a command is about: from files, from kinds and names, from selectors.
//!
//! Entry point: [`Selection`]. First it is planned what to ask for ([`Selection::plan`]), with every mistake of the command line;
//! then a command asks itself, or takes all objects one by one ([`Selection::targets`]).

use std::rc::Rc;

use k1s_core::object::text;
use k1s_core::quote::Quoted;
use k1s_core::selector::LabelSelector;
use serde_json::Value;

use crate::PROGRAM;
use crate::client::Call;
use crate::context::Context;
use crate::document::{self, Place};
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::mapping::Resource;
use crate::source::{self, Document};

/// The flags that select objects by what they are.
pub const SELECTORS: &[Flag] = &[
    Flag::switch("all", "All objects of the kinds in the namespace."),
    Flag::text(
        "field-selector",
        "Only objects whose fields are so: key1=value1,key2!=value2.",
    )
    .default(""),
    Flag::text(
        "selector",
        "Only objects with such labels: key1=value1,key2 in (a, b).",
    )
    .short('l'),
];

/// The flag for all namespaces.
pub const ALL_NAMESPACES: &[Flag] =
    &[Flag::switch("all-namespaces", "Objects of all namespaces.").short('A')];

/// An object, and what the API calls it.
#[derive(Clone, Debug)]
pub struct Target {
    /// The resource that serves it.
    pub resource: Rc<Resource>,
    /// Its namespace; empty for an object without one.
    pub namespace: String,
    /// Its name; empty where only the API knows it yet.
    pub name: String,
    /// The file it comes from, or `STDIN`; empty if from none.
    pub source: String,
    /// The object itself.
    pub value: Value,
}

impl Target {
    /// Its path in the API.
    #[must_use]
    pub fn path(&self) -> String {
        self.resource.path(&self.namespace, &self.name, "")
    }

    /// Refuses an object without a name, whose path would be that of all objects.
    ///
    /// # Errors
    /// When there is no name.
    pub fn require_name(&self) -> Result {
        if self.name.is_empty() {
            return Err(Error::message("resource name may not be empty"));
        }
        Ok(())
    }

    /// `configmap/a`.
    #[must_use]
    pub fn title(&self) -> String {
        self.resource.object_name(&self.name)
    }
}

/// Something to ask the API for.
#[derive(Clone, Debug)]
pub enum Ask {
    /// One object by its name.
    One {
        /// The resource.
        resource: Rc<Resource>,
        /// The namespace; empty for none.
        namespace: String,
        /// The name.
        name: String,
    },
    /// All objects that the selectors choose.
    Many {
        /// The resource.
        resource: Rc<Resource>,
        /// The namespace; empty for all.
        namespace: String,
    },
    /// An object of a file.
    File(Box<Target>),
}

impl Ask {
    /// The resource it is about.
    #[must_use]
    pub fn resource(&self) -> &Rc<Resource> {
        match self {
            Self::One { resource, .. } | Self::Many { resource, .. } => resource,
            Self::File(target) => &target.resource,
        }
    }
}

/// What `plan` found out.
#[derive(Debug)]
pub struct Plan {
    /// What to ask for; an entry that cannot be asked for is an error in its place.
    pub asks: Vec<Result<Ask>>,
    /// Whether the command line means exactly one object.
    pub single: bool,
}

/// Which objects a command is about.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Kinds and names.
    pub args: Vec<String>,
    /// Label selector; `Some("")` is everything.
    pub labels: Option<String>,
    /// Field selector.
    pub fields: Option<String>,
    /// Whether a kind without a name means all of its objects.
    pub bare_kind_is_all: bool,
    /// Whether the objects of all namespaces are meant.
    pub all_namespaces: bool,
    /// The namespace of objects that name none.
    pub namespace: String,
    /// Whether objects of files must be in that namespace.
    pub namespace_given: bool,
    /// Subresource; with it only objects by name can be asked for.
    pub subresource: String,
    /// How many objects of a list are asked for at a time; 0 is all.
    pub chunk: i64,
    /// Whether documents without a version or a kind are told as a validator tells them.
    pub validate: bool,
    /// Whether objects of files stay as they are, without a namespace, and nothing is asked of the API.
    pub local: bool,
    files: bool,
    single_file: bool,
}

impl Selection {
    /// The selection of a command with the usual flags. Flags that the command does not have are as if they were not given.
    ///
    /// # Errors
    /// When the kubeconfig cannot be read.
    pub fn new(cx: &Context, args: &Parsed) -> Result<Self> {
        let all_namespaces = args.on("all-namespaces");
        let (namespace, given) = cx.namespace()?;
        let text = |name: &str| {
            let text = args.text(name);
            (!text.is_empty()).then(|| text.to_owned())
        };
        Ok(Self {
            args: args.args.clone(),
            labels: text("selector"),
            fields: text("field-selector"),
            bare_kind_is_all: args.on("all"),
            all_namespaces,
            namespace,
            namespace_given: given && !all_namespaces,
            subresource: args.text("subresource").to_owned(),
            chunk: if args.has("chunk-size") {
                args.number("chunk-size")
            } else {
                500
            },
            validate: false,
            local: false,
            files: source::is_given(args),
            single_file: source::is_single(args),
        })
    }

    /// The same without what files name.
    #[must_use]
    pub fn without_files(mut self) -> Self {
        self.files = false;
        self
    }

    /// Whether the command line means one object by its name or file.
    #[must_use]
    pub fn single_name(&self) -> bool {
        if self.files {
            return self.single_file;
        }
        let pairs = self.args.iter().filter(|a| a.contains('/')).count();
        match self.args.len() {
            1 => pairs == 1,
            2 => pairs == 0,
            _ => false,
        }
    }

    /// Finds out what to ask for.
    ///
    /// # Errors
    /// When the command line makes no sense, or names a kind or a file that is not there.
    pub async fn plan(&self, cx: &Context, args: &Parsed) -> Result<Plan> {
        if self.files {
            if !self.args.is_empty() {
                return Err(Error::message(
                    "when paths, URLs, or stdin is provided as input, you may not specify resource arguments as well",
                ));
            }
            let asks = self
                .file_targets(cx, args)
                .await?
                .into_iter()
                .map(|t| t.map(|t| Ask::File(Box::new(t))))
                .collect();
            return Ok(Plan {
                asks,
                single: self.single_file,
            });
        }
        if let Some((kinds, names)) = self.args.split_first()
            && !names.is_empty()
            && kinds.contains(',')
        {
            return self.each_kind(cx, kinds, names).await;
        }
        let slashes = self.args.iter().filter(|a| a.contains('/')).count();
        if slashes > 0 && slashes < self.args.len() {
            return Err(Error::message(format!(
                "there is no need to specify a resource type as a separate argument when passing arguments in resource/name form \
                 (e.g. '{PROGRAM} get resource/<resource_name>' instead of '{PROGRAM} get resource resource/<resource_name>'"
            )));
        }
        if slashes > 0 {
            return self.pairs(cx, &self.args).await;
        }
        let kinds = match self.args.first() {
            None => Vec::new(),
            Some(words) => self.kinds(cx, words).await?,
        };
        let names = self.args.get(1..).unwrap_or_default();
        let labels = match &self.labels {
            None if self.bare_kind_is_all && self.args.len() == 1 => Some(""),
            other => other.as_deref(),
        };
        if labels.is_some() || self.fields.is_some() {
            if !names.is_empty() {
                return Err(Error::message(
                    "name cannot be provided when a selector is specified",
                ));
            }
            return self.lists(cx, kinds).await;
        }
        if names.is_empty() {
            if kinds.is_empty() {
                return Err(nothing_named());
            }
            for kind in &kinds {
                cx.resource(kind).await?;
            }
            return Err(Error::message(
                "resource(s) were provided, but no name was specified",
            ));
        }
        let [kind] = kinds.as_slice() else {
            return Err(Error::message("you must specify only one resource"));
        };
        let resource = cx.resource(kind).await?;
        let asks = names
            .iter()
            .map(|name| self.one(&resource, name))
            .collect::<Result<Vec<_>>>()?;
        Ok(Plan {
            single: asks.len() == 1,
            asks,
        })
    }

    /// `a,b x y`: the names of every kind.
    async fn each_kind(&self, cx: &Context, kinds: &str, names: &[String]) -> Result<Plan> {
        let pairs: Vec<String> = kinds
            .split(',')
            .flat_map(|kind| names.iter().map(move |name| format!("{kind}/{name}")))
            .collect();
        self.pairs(cx, &pairs).await
    }

    /// One object by its name; without a name it is an error in its place.
    fn one(&self, resource: &Rc<Resource>, name: &str) -> Result<Result<Ask>> {
        if resource.namespaced && self.all_namespaces {
            return Err(Error::message(
                "a resource cannot be retrieved by name across all namespaces",
            ));
        }
        if name.is_empty() {
            return Ok(Err(Error::message("resource name may not be empty")));
        }
        let namespace = if resource.namespaced {
            self.namespace.clone()
        } else {
            String::new()
        };
        Ok(Ok(Ask::One {
            resource: resource.clone(),
            namespace,
            name: name.to_owned(),
        }))
    }

    /// The kinds of `a,b`, with categories in their members' names.
    async fn kinds(&self, cx: &Context, words: &str) -> Result<Vec<String>> {
        let mut out = Vec::new();
        for word in words.split(',') {
            if cx.is_category(word).await? {
                for resource in cx.category(word).await? {
                    let listed = resource.verbs.iter().any(|v| v == "list");
                    if listed {
                        out.push(resource.group_resource());
                    }
                }
            } else {
                out.push(word.to_owned());
            }
        }
        Ok(out)
    }

    async fn pairs(&self, cx: &Context, args: &[String]) -> Result<Plan> {
        let mut split = Vec::new();
        for arg in args {
            let parts: Vec<&str> = arg.split('/').collect();
            let [kind, name] = parts[..] else {
                return Err(Error::message(
                    "arguments in resource/name form may not have more than one slash",
                ));
            };
            if kind.is_empty() || name.is_empty() || kind.contains(',') {
                return Err(Error::message(
                    "arguments in resource/name form must have a single resource and name",
                ));
            }
            split.push((kind, name));
        }
        if self.labels.is_some() || self.fields.is_some() {
            return Err(Error::message(
                "selectors and the all flag cannot be used when passing resource/name arguments",
            ));
        }
        let mut asks = Vec::new();
        for (kind, name) in &split {
            let resource = cx.resource(kind).await?;
            asks.push(self.one(&resource, name)?);
        }
        Ok(Plan {
            asks,
            single: split.len() == 1,
        })
    }

    async fn lists(&self, cx: &Context, kinds: Vec<String>) -> Result<Plan> {
        if kinds.is_empty() {
            return Err(Error::message(
                "at least one resource must be specified to use a selector",
            ));
        }
        if !self.subresource.is_empty() {
            return Err(Error::message(
                "subresource cannot be used when bulk resources are specified",
            ));
        }
        let mut asks = Vec::new();
        for kind in &kinds {
            let resource = cx.resource(kind).await?;
            let namespace = if resource.namespaced && !self.all_namespaces {
                self.namespace.clone()
            } else {
                String::new()
            };
            asks.push(Ok(Ask::Many {
                resource,
                namespace,
            }));
        }
        Ok(Plan {
            asks,
            single: false,
        })
    }

    /// The objects of files, each with its resource and namespace.
    async fn file_targets(&self, cx: &Context, args: &Parsed) -> Result<Vec<Result<Target>>> {
        let selector = match &self.labels {
            Some(words) => {
                Some(LabelSelector::parse(words).map_err(|e| Error::message(e.to_string()))?)
            }
            None => None,
        };
        let mut out = Vec::new();
        let mut broken: Option<String> = None;
        for Document {
            source,
            place,
            value,
        } in source::read(cx, args).await?
        {
            // What follows a document that is not valid is not looked at.
            if broken.as_ref() == Some(&source) {
                continue;
            }
            let value = match value {
                Ok(value) => value,
                Err(e) => {
                    out.push(Err(e));
                    continue;
                }
            };
            for (item, object) in document::objects(value) {
                if item.is_empty()
                    && let Some(why) = document::metadata_complaint(&object)
                {
                    let place = place.within(&source, &item);
                    out.push(Err(Error::message(format!(
                        "unable to decode {place}: {why}"
                    ))));
                    continue;
                }
                if let Some(complaint) = self.complaint(&object, &source, place, &item) {
                    out.push(Err(complaint));
                    if self.validate {
                        broken = Some(source.clone());
                        break;
                    }
                    continue;
                }
                let wanted = selector
                    .as_ref()
                    .is_none_or(|s| s.matches(&object["metadata"]["labels"].as_object()));
                if wanted {
                    out.push(self.target(cx, object, &source).await);
                }
            }
        }
        Ok(out)
    }

    /// What is wrong with a document as such.
    fn complaint(&self, value: &Value, source: &str, place: Place, item: &str) -> Option<Error> {
        let mut missing = Vec::new();
        if !value.is_object() {
            missing.push("invalid object to validate");
        } else {
            for (key, words) in [
                ("apiVersion", "apiVersion not set"),
                ("kind", "kind not set"),
            ] {
                if text(value, &[key]).is_empty() {
                    missing.push(words);
                }
            }
        }
        if missing.is_empty() {
            return None;
        }
        let source = place.within(source, item);
        if self.validate {
            let list = match missing.as_slice() {
                [one] => (*one).to_owned(),
                many => format!("[{}]", many.join(", ")),
            };
            return Some(not_valid(&source, &list));
        }
        let json = k1s_core::json::print(value);
        Some(Error::message(match missing[..] {
            ["apiVersion not set"] => {
                format!("unable to decode {source}: Object 'apiVersion' is missing in '{json}'")
            }
            _ if value.is_object() => {
                format!("unable to decode {source}: Object 'Kind' is missing in '{json}'")
            }
            _ => format!(
                "unable to decode {source}: json: cannot unmarshal {} into Go value of type unstructured.detector",
                k1s_core::json::type_name(value)
            ),
        }))
    }

    async fn target(&self, cx: &Context, mut value: Value, source: &str) -> Result<Target> {
        let (api_version, kind) = (
            text(&value, &["apiVersion"]).to_owned(),
            text(&value, &["kind"]).to_owned(),
        );
        let name = text(&value, &["metadata", "name"]).to_owned();
        let own = text(&value, &["metadata", "namespace"]).to_owned();
        if self.local {
            let resource = Rc::new(Resource::guess(&api_version, &kind));
            return Ok(Target {
                resource,
                namespace: own,
                name,
                source: source.to_owned(),
                value,
            });
        }
        let resource = cx.resource_of_kind(&api_version, &kind).await.map_err(|e| match e {
            Error::Message(why) => Error::message(format!(
                "resource mapping not found for name: {} namespace: {} from {}: {why}\nensure CRDs are installed first",
                Quoted(&name),
                Quoted(&own),
                Quoted(source)
            )),
            Error::Unreachable(mut gone) if self.validate => {
                let base = cx.transport().map(|t| t.address()).unwrap_or_default();
                gone.url = format!("{base}/openapi/v2?timeout=32s");
                not_valid(&Quoted(source).to_string(), &format!("failed to download openapi: {gone}"))
            }
            other => other,
        })?;
        let mut namespace = String::new();
        if resource.namespaced {
            if own.is_empty() {
                if value["metadata"].is_null() {
                    value["metadata"] = serde_json::json!({});
                }
                if let Some(metadata) = value["metadata"].as_object_mut() {
                    metadata.insert("namespace".to_owned(), self.namespace.as_str().into());
                }
                namespace.clone_from(&self.namespace);
            } else {
                if self.namespace_given && own != self.namespace {
                    return Err(Error::message(format!(
                        "the namespace from the provided object {} does not match the namespace {}. \
                         You must pass '--namespace={own}' to perform this operation.",
                        Quoted(&own),
                        Quoted(&self.namespace)
                    )));
                }
                namespace = own;
            }
        }
        Ok(Target {
            resource,
            namespace,
            name,
            source: source.to_owned(),
            value,
        })
    }

    /// The request for one page of a list.
    #[must_use]
    pub fn list_call(&self, resource: &Resource, namespace: &str, token: &str) -> Call {
        let limit = if self.chunk > 0 {
            self.chunk.to_string()
        } else {
            String::new()
        };
        Call::get(resource.path(namespace, "", ""))
            .query("labelSelector", self.labels.clone().unwrap_or_default())
            .query("fieldSelector", self.fields.clone().unwrap_or_default())
            .query("limit", limit)
            .query("continue", token)
    }

    /// The words of a refused list.
    #[must_use]
    pub fn list_error(&self, resource: &Resource, mut error: Error) -> Error {
        if let Error::Api(refusal) = &mut error
            && (refusal.reason == "BadRequest" || refusal.reason == "NotFound")
        {
            let what = format!(
                "{}/{}, Resource={}",
                resource.group, resource.version, resource.plural
            );
            let (labels, fields) = (
                self.labels.as_deref().unwrap_or_default(),
                self.fields.as_deref().unwrap_or_default(),
            );
            refusal.message = if labels.is_empty() && fields.is_empty() {
                format!("Unable to list {}: {}", Quoted(&what), refusal.message)
            } else {
                format!(
                    "Unable to find {} that match label selector {}, field selector {}: {}",
                    Quoted(&what),
                    Quoted(labels),
                    Quoted(fields),
                    refusal.message
                )
            };
        }
        error
    }

    /// All objects of a list, page by page.
    ///
    /// # Errors
    /// When the API refuses.
    pub async fn list(
        &self,
        cx: &Context,
        resource: &Rc<Resource>,
        namespace: &str,
    ) -> Result<Vec<Target>> {
        let mut out = Vec::new();
        let mut token = String::new();
        loop {
            let mut page = cx
                .json(&self.list_call(resource, namespace, &token))
                .await
                .map_err(|e| self.list_error(resource, e))?;
            let items = page["items"].take();
            if let Value::Array(items) = items {
                for mut value in items {
                    if text(&value, &["kind"]).is_empty() {
                        value["apiVersion"] = resource.api_version().into();
                        value["kind"] = resource.kind.clone().into();
                    }
                    out.push(Target {
                        resource: resource.clone(),
                        namespace: text(&value, &["metadata", "namespace"]).to_owned(),
                        name: text(&value, &["metadata", "name"]).to_owned(),
                        source: String::new(),
                        value,
                    });
                }
            }
            text(&page, &["metadata", "continue"]).clone_into(&mut token);
            if token.is_empty() {
                return Ok(out);
            }
        }
    }

    /// The objects that are meant, asked for one after the other. Objects of files are as the file has them, or with `latest` as the
    /// API has them.
    ///
    /// # Errors
    /// As [`Selection::plan`]; an object that cannot be had is an error in its place.
    pub async fn targets(
        &self,
        cx: &Context,
        args: &Parsed,
        latest: bool,
    ) -> Result<Vec<Result<Target>>> {
        let mut out = Vec::new();
        for ask in self.plan(cx, args).await?.asks {
            match ask {
                Err(e) => out.push(Err(e)),
                Ok(Ask::Many {
                    resource,
                    namespace,
                }) => match self.list(cx, &resource, &namespace).await {
                    Ok(found) => out.extend(found.into_iter().map(Ok)),
                    Err(e) => out.push(Err(e)),
                },
                Ok(Ask::One {
                    resource,
                    namespace,
                    name,
                }) => {
                    let call = Call::get(resource.path(&namespace, &name, &self.subresource));
                    out.push(cx.object(&call, &namespace).await.map(|value| Target {
                        resource,
                        namespace,
                        name,
                        source: String::new(),
                        value,
                    }));
                }
                Ok(Ask::File(mut target)) => {
                    if !latest {
                        out.push(Ok(*target));
                        continue;
                    }
                    if let Err(e) = target.require_name() {
                        out.push(Err(e));
                        continue;
                    }
                    let call = Call::get(target.resource.path(
                        &target.namespace,
                        &target.name,
                        &self.subresource,
                    ));
                    out.push(
                        cx.object(&call, &target.namespace.clone())
                            .await
                            .map(|value| {
                                target.value = value;
                                *target
                            }),
                    );
                }
            }
        }
        Ok(out)
    }
}

fn not_valid(source: &str, why: &str) -> Error {
    Error::message(format!(
        "error validating {source}: error validating data: {why}; if you choose to ignore these errors, \
         turn validation off with --validate=false"
    ))
}

/// What is said when a command is about nothing.
pub(crate) fn nothing_named() -> Error {
    Error::message(
        "You must provide one or more resources by argument or filename.\n\
         Example resource specifications include:\n   '-f rsrc.yaml'\n   '--filename=rsrc.json'\n   \
         '<resource> <name>'\n   '<resource>'",
    )
}
