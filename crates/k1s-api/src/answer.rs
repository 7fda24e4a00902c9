// SPDX-License-Identifier: Apache-2.0
//! Answers of verbs, and how they are written: whole, as tables or as metadata, in JSON or YAML.

use std::collections::VecDeque;

use bytes::Bytes;
use http::{Response, StatusCode, header};
use k1s_core::kinds::{Column, Kind};
use k1s_core::rules::{self, Clock};
use k1s_core::status::Status;
use k1s_core::yaml;
use serde_json::{Map, Value, json};

use crate::body::Body;
use crate::convert;
use crate::encode;
use crate::negotiate::{Encoding, Form, MetaVersion, Output};
use crate::options::Query;

/// What a verb answers with.
pub(crate) enum Answer {
    /// A stored object.
    Object {
        code: u16,
        kind: &'static Kind,
        stored: Bytes,
        output: Output,
        include: Include,
    },
    /// A value that is written as it is: a Scale, a Status.
    Value {
        code: u16,
        value: Value,
        output: Output,
    },
    /// A list.
    List {
        list: List,
        output: Output,
        include: Include,
    },
    /// What goes on until its end is known: a watch, a log.
    Stream {
        content_type: &'static str,
        body: Body,
    },
    /// What somebody else answered.
    Relayed(Response<Body>),
    /// 204.
    Nothing,
}

/// The content of a list.
pub(crate) struct List {
    pub(crate) kind: &'static Kind,
    pub(crate) items: Vec<Bytes>,
    /// Bytes of JSON to write as `metadata`.
    pub(crate) metadata: Value,
}

/// What the rows of a table hold of their objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Include {
    /// Their metadata.
    Metadata,
    /// All.
    Object,
    /// Nothing.
    None,
}

impl Include {
    /// Reads `includeObject`, which matters for tables only.
    pub(crate) fn parse(query: &Query, output: Output) -> Result<Self, Status> {
        if !matches!(output.form, Form::Table(_)) {
            return Ok(Self::Metadata);
        }
        match query.text("includeObject") {
            "" | "Metadata" => Ok(Self::Metadata),
            "Object" => Ok(Self::Object),
            "None" => Ok(Self::None),
            other => Err(Status::bad_request(format!(
                "Unable to convert to Table as requested: includeObject: Invalid value: {}: must be 'Metadata', 'Object', 'None', or empty",
                k1s_core::field::quote(other)
            ))),
        }
    }
}

impl Answer {
    /// Writes the answer.
    pub(crate) fn into_response(self, now_seconds: i64) -> Result<Response<Body>, Status> {
        match self {
            Self::Object {
                code,
                kind,
                stored,
                output,
                include,
            } => {
                if output == Output::JSON && convert::is_stored_as_is(kind) {
                    return Ok(response(
                        code,
                        output.content_type(),
                        encode::with_names(kind, &stored).into(),
                    ));
                }
                let value = shaped(kind, &stored, output.form, include, now_seconds)?;
                Ok(write(code, &value, output))
            }
            Self::Value {
                code,
                value,
                output,
            } => Ok(write(code, &value, output)),
            Self::List {
                list,
                output,
                include,
            } => list.into_response(output, include, now_seconds),
            Self::Stream { content_type, body } => Ok(response(200, content_type, body)),
            Self::Relayed(answer) => Ok(answer),
            Self::Nothing => {
                let mut answer = Response::new(Body::empty());
                *answer.status_mut() = StatusCode::NO_CONTENT;
                Ok(answer)
            }
        }
    }
}

/// A stored object with its names, as the kind of the request.
pub(crate) fn named(kind: &'static Kind, stored: &[u8]) -> Result<Value, Status> {
    let mut value: Value = serde_json::from_slice(stored)
        .map_err(|e| Status::internal(format!("the stored object cannot be read: {e}")))?;
    value["apiVersion"] = kind.api_version().into();
    value["kind"] = kind.kind.into();
    convert::from_storage(kind, &mut value);
    Ok(value)
}

/// A stored object in the form that was asked for.
pub(crate) fn shaped(
    kind: &'static Kind,
    stored: &[u8],
    form: Form,
    include: Include,
    now_seconds: i64,
) -> Result<Value, Status> {
    let value = named(kind, stored)?;
    match form {
        Form::Whole => Ok(value),
        Form::Metadata(version) => Ok(metadata_only(&value, version)),
        Form::MetadataList(_) => Err(Status::new(
            406,
            "NotAcceptable",
            format!(
                "you requested PartialObjectMetadataList, but the requested object is not a list (*{}.{})",
                go_package(kind),
                kind.kind
            ),
        )),
        Form::Table(version) => {
            let metadata = json!({"resourceVersion": k1s_core::object::resource_version(&value)});
            let rows = vec![row(kind, value, version, include, now_seconds)];
            Ok(table(kind.columns, version, metadata, rows))
        }
    }
}

fn go_package(kind: &Kind) -> &str {
    if kind.group.is_empty() {
        "core"
    } else {
        kind.group.split('.').next().unwrap_or(kind.group)
    }
}

/// The metadata of an object, as an answer of its own.
pub(crate) fn metadata_only(value: &Value, version: MetaVersion) -> Value {
    let mut metadata = value["metadata"].clone();
    if value["kind"] == "DaemonSet" {
        forget_template_generation(&mut metadata);
    }
    json!({"apiVersion": version.api_version(), "kind": "PartialObjectMetadata", "metadata": metadata})
}

/// A DaemonSet has its template's generation as an annotation only where it is shown as a whole.
fn forget_template_generation(metadata: &mut Value) {
    let Some(annotations) = metadata["annotations"].as_object_mut() else {
        return;
    };
    annotations.remove("deprecated.daemonset.template.generation");
    if annotations.is_empty() {
        k1s_core::object::remove(metadata, &["annotations"]);
    }
}

/// A table of rows.
pub(crate) fn table(
    columns: &[Column],
    version: MetaVersion,
    metadata: Value,
    rows: Vec<Value>,
) -> Value {
    let columns: Vec<Value> = columns
        .iter()
        .map(|c| json!({"name": c.name, "type": c.kind, "format": c.format, "description": c.description, "priority": c.priority}))
        .collect();
    json!({"apiVersion": version.api_version(), "kind": "Table", "metadata": metadata, "columnDefinitions": columns, "rows": rows})
}

fn row(
    kind: &Kind,
    value: Value,
    version: MetaVersion,
    include: Include,
    now_seconds: i64,
) -> Value {
    let cells = match (kind.custom, rules::of(kind).cells) {
        (Some(custom), _) => custom.cells(&value, now_seconds),
        (None, Some(cells)) => cells(&value, &Clock { now_seconds }),
        (None, None) => kind
            .columns
            .iter()
            .map(|column| match column.name {
                "Name" => value["metadata"]["name"].clone(),
                "Age" | "Created At" => value["metadata"]["creationTimestamp"].clone(),
                _ => "".into(),
            })
            .collect(),
    };
    let mut row = Map::new();
    row.insert("cells".into(), cells.into());
    let conditions = (rules::of(kind).row_conditions)(&value);
    if !conditions.is_empty() {
        row.insert("conditions".into(), conditions.into());
    }
    match include {
        Include::None => row.insert("object".into(), Value::Null),
        Include::Metadata => row.insert("object".into(), metadata_only(&value, version)),
        Include::Object => row.insert("object".into(), value),
    };
    Value::Object(row)
}

impl List {
    fn into_response(
        mut self,
        output: Output,
        include: Include,
        now_seconds: i64,
    ) -> Result<Response<Body>, Status> {
        let kind = self.kind;
        if kind.custom.is_some()
            && output.form == Form::Whole
            && self.metadata.get("continue").is_none()
        {
            self.metadata["continue"] = "".into();
        }
        if output == Output::JSON && convert::is_stored_as_is(kind) {
            return Ok(response(200, output.content_type(), self.into_pieces()));
        }
        let value = match output.form {
            Form::Whole => {
                let mut items = Vec::with_capacity(self.items.len());
                for stored in &self.items {
                    let mut item = named(kind, stored)?;
                    // items of own kinds name themselves
                    if kind.custom.is_none()
                        && let Some(map) = item.as_object_mut()
                    {
                        map.remove("apiVersion");
                        map.remove("kind");
                    }
                    items.push(item);
                }
                json!({"apiVersion": kind.api_version(), "kind": kind.list_kind(), "metadata": self.metadata, "items": items})
            }
            Form::Metadata(_) => {
                return Err(Status::new(
                    406,
                    "NotAcceptable",
                    format!(
                        "you requested PartialObjectMetadata, but the requested object is a list (*{}.{}List)",
                        go_package(kind),
                        kind.kind
                    ),
                ));
            }
            Form::MetadataList(version) => {
                let items = self
                    .items
                    .iter()
                    .map(|s| named(kind, s).map(|v| metadata_only(&v, version)))
                    .collect::<Result<Vec<_>, _>>()?;
                // Kubernetes appends to a list that is null
                let items = (!items.is_empty()).then_some(items);
                json!({"apiVersion": version.api_version(), "kind": "PartialObjectMetadataList", "metadata": self.metadata, "items": items})
            }
            Form::Table(version) => {
                let rows = self
                    .items
                    .iter()
                    .map(|s| named(kind, s).map(|v| row(kind, v, version, include, now_seconds)))
                    .collect::<Result<Vec<_>, _>>()?;
                table(kind.columns, version, self.metadata, rows)
            }
        };
        Ok(write(200, &value, output))
    }

    /// The list as pieces that are not copied together.
    fn into_pieces(self) -> Body {
        let opening = format!(
            "{}\"metadata\":{},\"items\":[",
            encode::opening(self.kind, &self.kind.list_kind()),
            self.metadata
        );
        let mut pieces = VecDeque::with_capacity(self.items.len() * 2 + 2);
        pieces.push_back(Bytes::from(opening));
        for (i, item) in self.items.into_iter().enumerate() {
            if i > 0 {
                pieces.push_back(Bytes::from_static(b","));
            }
            pieces.push_back(item);
        }
        pieces.push_back(Bytes::from_static(b"]}"));
        Body::pieces(pieces)
    }
}

fn write(code: u16, value: &Value, output: Output) -> Response<Body> {
    response(code, output.content_type(), text(value, output).into())
}

fn text(value: &Value, output: Output) -> Vec<u8> {
    match output.encoding {
        Encoding::Yaml => yaml::print(value).into_bytes(),
        Encoding::Json if output.pretty => serde_json::to_vec_pretty(value).unwrap_or_default(),
        Encoding::Json => serde_json::to_vec(value).unwrap_or_default(),
    }
}

/// An answer with a body, without the headers that all answers have.
pub(crate) fn response(code: u16, content_type: &'static str, body: Body) -> Response<Body> {
    let mut answer = Response::new(body);
    *answer.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static(content_type),
    );
    answer
}

/// A failure.
pub(crate) fn failure(status: &Status, encoding: Encoding) -> Response<Body> {
    let output = Output {
        encoding,
        ..Output::JSON
    };
    let mut answer = write(status.code, &status.to_json(), output);
    let retry = status.details.as_ref().map_or(0, |d| d.retry_after_seconds);
    if retry > 0 {
        answer
            .headers_mut()
            .insert(header::RETRY_AFTER, retry.into());
    }
    answer
}
